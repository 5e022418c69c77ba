"""The pages that texts name, and whether each was there when it was last looked for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "page_check",
        sa.Column("url", sa.String(length=400), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("url"),
    )
