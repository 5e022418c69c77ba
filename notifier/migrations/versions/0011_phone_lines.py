"""Phone lines: what kind each number is, and the channel that was chosen beside it; messages that come without words."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "phone_line",
        sa.Column("phone_hash", sa.String(64), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("wanted_at", INSTANT, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=True),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("look_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("phone_hash"),
    )
    op.create_index(
        "phone_line_to_ask",
        "phone_line",
        ["wanted_at"],
        postgresql_where=sa.text("waits"),
        sqlite_where=sa.text("waits = 1"),
    )
    op.add_column("contact", sa.Column("chosen", sa.String(24), nullable=True))
    op.add_column("recording", sa.Column("words_by", INSTANT, nullable=True))
    op.create_index(
        "recording_without_words",
        "recording",
        ["words_by"],
        postgresql_where=sa.text("words_by IS NOT NULL"),
        sqlite_where=sa.text("words_by IS NOT NULL"),
    )
