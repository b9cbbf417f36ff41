"""Who hands the mail of a reporter's organisation over, as its reports show; names of signing keys to look up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_recipient_relays",
        sa.Column("submission", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("reporter", sa.Text(), nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_vault_recipient_relays_submission")),
        sa.PrimaryKeyConstraint("submission", "position", name=op.f("pk_vault_recipient_relays")),
    )
    op.create_index("ix_vault_recipient_relays_domain", "vault_recipient_relays", ["domain", "seen_at"], unique=False)
    op.create_table(
        "wanted_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_wanted_keys")),
    )
