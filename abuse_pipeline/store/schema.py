"""The tables. Everything that could identify a reporter stands in a table named ``vault_…`` and nowhere else.

`migrations/` makes these tables step by step; a test holds the two against each other.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from abuse_pipeline.store.columns import Micros, SafeText, VaultText

HEAD = "0003"
"""The newest migration: a store at this revision opens without loading Alembic."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("key", SafeText, primary_key=True),
    Column("value", SafeText, nullable=False),
)

# The queue is this table: pending rows whose lease has run out.
submissions = Table(
    "submissions",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("received_at", Micros, nullable=False),
    Column("channel", SafeText, nullable=False),
    Column("digest", SafeText, nullable=False),
    Column("size", Integer, nullable=False),
    Column("status", SafeText, nullable=False),
    Column("duplicate_of", SafeText, ForeignKey("submissions.id")),
    Column("format", SafeText),
    Column("language", SafeText),
    Column("reporter", SafeText),
    Column("disposition", SafeText),
    Column("reason", SafeText),
    Column("worker", SafeText),
    Column("token", SafeText),
    Column("lease_until", Micros, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("finished_at", Micros),
)
Index("ix_submissions_first", submissions.c.digest, unique=True,
      sqlite_where=text("duplicate_of IS NULL"), postgresql_where=text("duplicate_of IS NULL"))  # fmt: skip
Index("ix_submissions_queue", submissions.c.status, submissions.c.received_at, submissions.c.id)
Index("ix_submissions_received", submissions.c.received_at)

cases = Table(
    "cases",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("customer", SafeText, nullable=False),
    Column("category", SafeText, nullable=False),
    Column("type", SafeText, nullable=False),
    Column("state", SafeText, nullable=False),
    Column("severity", SafeText, nullable=False),
    Column("incidents", Integer, nullable=False),
    Column("first_at", Micros, nullable=False),
    Column("last_at", Micros, nullable=False),
    Column("assignee", SafeText),
)
Index("ix_cases_open", cases.c.customer, cases.c.category, cases.c.type, unique=True,
      sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'"))  # fmt: skip
Index("ix_cases_last", cases.c.last_at)

# Of cases and of outgoing messages; it only grows.
history = Table(
    "history",
    metadata,
    Column("subject", SafeText, nullable=False),
    Column("position", Integer, nullable=False),
    Column("at", Micros, nullable=False),
    Column("who", SafeText, nullable=False),
    Column("action", SafeText, nullable=False),
    Column("text", SafeText, nullable=False),
    PrimaryKeyConstraint("subject", "position"),
)

outgoing = Table(
    "outgoing",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("kind", SafeText, nullable=False),
    Column("state", SafeText, nullable=False),
    Column("case_id", SafeText, ForeignKey("cases.id")),
    Column("customer", SafeText),
    Column("reporter", SafeText),
    Column("due_at", Micros, nullable=False),
    Column("reason", SafeText),
    Column("created_at", Micros, nullable=False),
    Column("finished_at", Micros),
)
Index("ix_outgoing_due", outgoing.c.state, outgoing.c.due_at)
Index("ix_outgoing_case", outgoing.c.case_id)
Index("ix_outgoing_reporter", outgoing.c.reporter, outgoing.c.created_at)

outgoing_submissions = Table(
    "outgoing_submissions",
    metadata,
    Column("outgoing", SafeText, ForeignKey("outgoing.id"), nullable=False),
    Column("submission", SafeText, ForeignKey("submissions.id"), nullable=False),
    PrimaryKeyConstraint("outgoing", "submission"),
)
Index("ix_outgoing_submissions_submission", outgoing_submissions.c.submission)

incidents = Table(
    "incidents",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("submission", SafeText, ForeignKey("submissions.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("case_id", SafeText, ForeignKey("cases.id")),
    Column("category", SafeText, nullable=False),
    Column("type", SafeText, nullable=False),
    Column("origin_ip", SafeText),
    Column("origin_port", Integer),
    Column("origin_at", Micros),
    Column("origin_precision", SafeText),
    Column("confidence", SafeText, nullable=False),
    Column("holder_kind", SafeText, nullable=False),
    Column("network", SafeText),
    Column("customer", SafeText),
    Column("disposition", SafeText, nullable=False),
    Column("severity", SafeText, nullable=False),
    Column("reasons", SafeText, nullable=False),
    Column("fact", SafeText),
    # As whom its reporter counts among the independent ones; NULL: as nobody. See `UnitOfWork.add_incident`.
    Column("voice", SafeText),
    Column("findings", SafeText, nullable=False),
    Column("awaits_findings", Integer, nullable=False),
    UniqueConstraint("submission", "position"),
)
Index("ix_incidents_case", incidents.c.case_id)
Index("ix_incidents_origin", incidents.c.origin_ip)

lookup_cache = Table(
    "lookup_cache",
    metadata,
    Column("enricher", SafeText, nullable=False),
    Column("subject", SafeText, nullable=False),
    Column("findings", SafeText, nullable=False),
    Column("expires_at", Micros, nullable=False),
    PrimaryKeyConstraint("enricher", "subject"),
)
Index("ix_lookup_cache_subject", lookup_cache.c.subject)

wanted_lookups = Table(
    "wanted_lookups",
    metadata,
    Column("ip", SafeText, primary_key=True),
    Column("wanted_at", Micros, nullable=False),
)

# DNS names of signing keys that are to be looked up.
wanted_keys = Table(
    "wanted_keys",
    metadata,
    Column("name", SafeText, primary_key=True),
    Column("wanted_at", Micros, nullable=False),
)

vault_messages = Table(
    "vault_messages",
    metadata,
    Column("digest", SafeText, primary_key=True),
    Column("raw", LargeBinary, nullable=False),
)

# A hash of an envelope stands here too: addresses can be guessed, so their plain hash is an identity.
vault_envelopes = Table(
    "vault_envelopes",
    metadata,
    Column("submission", SafeText, ForeignKey("submissions.id"), primary_key=True),
    Column("digest", SafeText, nullable=False),
    Column("envelope_key", SafeText, nullable=False),
    Column("envelope", VaultText, nullable=False),
    UniqueConstraint("digest", "envelope_key"),
)

vault_identities = Table(
    "vault_identities",
    metadata,
    Column("pseudonym", SafeText, primary_key=True),
    Column("hmac", SafeText, nullable=False),
    Column("identity", VaultText, nullable=False),
    Column("first_seen", Micros, nullable=False),
    UniqueConstraint("hmac"),
)

vault_needles = Table(
    "vault_needles",
    metadata,
    Column("submission", SafeText, ForeignKey("submissions.id"), primary_key=True),
    Column("needles", VaultText, nullable=False),
)

# What the tracer says of the reporter's own mail servers: often the reporter's domain.
vault_traces = Table(
    "vault_traces",
    metadata,
    Column("incident", SafeText, ForeignKey("incidents.id"), primary_key=True),
    Column("trace", VaultText, nullable=False),
)

# Which host handed the mail of a reporter's organisation over, one row a report. The organisation is a keyed token.
vault_recipient_relays = Table(
    "vault_recipient_relays",
    metadata,
    Column("submission", SafeText, ForeignKey("submissions.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("domain", SafeText, nullable=False),
    # As whom the reporter counts among the independent ones; see `UnitOfWork.record_sighting`.
    Column("reporter", SafeText, nullable=False),
    Column("relay", SafeText, nullable=False),
    Column("client", SafeText),
    Column("seen_at", Micros, nullable=False),
    PrimaryKeyConstraint("submission", "position"),
)
Index("ix_vault_recipient_relays_domain", vault_recipient_relays.c.domain, vault_recipient_relays.c.seen_at)

vault_outgoing = Table(
    "vault_outgoing",
    metadata,
    Column("outgoing", SafeText, ForeignKey("outgoing.id"), primary_key=True),
    Column("message", LargeBinary, nullable=False),
)
