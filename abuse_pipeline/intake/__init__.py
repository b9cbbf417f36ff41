"""How reports come in: SMTP, a watched folder, archives. Everything ends in one `store.accept`."""
