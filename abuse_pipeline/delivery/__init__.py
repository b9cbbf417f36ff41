"""How messages leave the outbox. Until SMTP delivery exists, staff export them as files."""
