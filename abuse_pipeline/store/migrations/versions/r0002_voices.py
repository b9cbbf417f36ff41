"""Incidents know which independent reporter they count for. Earlier ones count for nobody: a notice then tells less."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("voice", sa.Text(), nullable=True))
