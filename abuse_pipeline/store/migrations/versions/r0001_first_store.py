"""The first store: submissions and queue, cases and their history, outbox, findings, vault."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("incidents", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_last", "cases", ["last_at"], unique=False)
    op.create_index(
        "ix_cases_open",
        "cases",
        ["customer", "category", "type"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "history",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "position", name=op.f("pk_history")),
    )
    op.create_table(
        "lookup_cache",
        sa.Column("enricher", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("enricher", "subject", name=op.f("pk_lookup_cache")),
    )
    op.create_index("ix_lookup_cache_subject", "lookup_cache", ["subject"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("duplicate_of", sa.Text(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("reporter", sa.Text(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["duplicate_of"], ["submissions.id"], name=op.f("fk_submissions_duplicate_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
    )
    op.create_index(
        "ix_submissions_first",
        "submissions",
        ["digest"],
        unique=True,
        sqlite_where=sa.text("duplicate_of IS NULL"),
        postgresql_where=sa.text("duplicate_of IS NULL"),
    )
    op.create_index("ix_submissions_queue", "submissions", ["status", "received_at", "id"], unique=False)
    op.create_index("ix_submissions_received", "submissions", ["received_at"], unique=False)
    op.create_table(
        "vault_identities",
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("hmac", sa.Text(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pseudonym", name=op.f("pk_vault_identities")),
        sa.UniqueConstraint("hmac", name=op.f("uq_vault_identities_hmac")),
    )
    op.create_table(
        "vault_messages",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_vault_messages")),
    )
    op.create_table(
        "wanted_lookups",
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ip", name=op.f("pk_wanted_lookups")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("submission", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("origin_ip", sa.Text(), nullable=True),
        sa.Column("origin_port", sa.Integer(), nullable=True),
        sa.Column("origin_at", sa.BigInteger(), nullable=True),
        sa.Column("origin_precision", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("holder_kind", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("fact", sa.Text(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("awaits_findings", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_incidents_case_id")),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_incidents_submission")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("submission", "position", name=op.f("uq_incidents_submission")),
    )
    op.create_index("ix_incidents_case", "incidents", ["case_id"], unique=False)
    op.create_index("ix_incidents_origin", "incidents", ["origin_ip"], unique=False)
    op.create_table(
        "outgoing",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("reporter", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_outgoing_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing")),
    )
    op.create_index("ix_outgoing_case", "outgoing", ["case_id"], unique=False)
    op.create_index("ix_outgoing_due", "outgoing", ["state", "due_at"], unique=False)
    op.create_index("ix_outgoing_reporter", "outgoing", ["reporter", "created_at"], unique=False)
    op.create_table(
        "vault_envelopes",
        sa.Column("submission", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("envelope_key", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_vault_envelopes_submission")),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_vault_envelopes")),
        sa.UniqueConstraint("digest", "envelope_key", name=op.f("uq_vault_envelopes_digest")),
    )
    op.create_table(
        "vault_needles",
        sa.Column("submission", sa.Text(), nullable=False),
        sa.Column("needles", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_vault_needles_submission")),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_vault_needles")),
    )
    op.create_table(
        "outgoing_submissions",
        sa.Column("outgoing", sa.Text(), nullable=False),
        sa.Column("submission", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["outgoing"], ["outgoing.id"], name=op.f("fk_outgoing_submissions_outgoing")),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_outgoing_submissions_submission")),
        sa.PrimaryKeyConstraint("outgoing", "submission", name=op.f("pk_outgoing_submissions")),
    )
    op.create_index("ix_outgoing_submissions_submission", "outgoing_submissions", ["submission"], unique=False)
    op.create_table(
        "vault_outgoing",
        sa.Column("outgoing", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["outgoing"], ["outgoing.id"], name=op.f("fk_vault_outgoing_outgoing")),
        sa.PrimaryKeyConstraint("outgoing", name=op.f("pk_vault_outgoing")),
    )
    op.create_table(
        "vault_traces",
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("trace", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name=op.f("fk_vault_traces_incident")),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_vault_traces")),
    )
