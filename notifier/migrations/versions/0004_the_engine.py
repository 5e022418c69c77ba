"""The engine: due messages by lane, receipts that wait to be settled, senders that stand still."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index(
        "message_due_in_lane",
        "message",
        ["site_key", "channel", "due_at", "template"],
        postgresql_where=sa.text("state = 'planned' AND NOT urgent"),
        sqlite_where=sa.text("state = 'planned' AND urgent = 0"),
    )
    op.create_index(
        "message_due_urgent",
        "message",
        ["due_at", "template"],
        postgresql_where=sa.text("state = 'planned' AND urgent"),
        sqlite_where=sa.text("state = 'planned' AND urgent = 1"),
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("provider_sid", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("answered_by", sa.String(length=24), nullable=True),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("receipt_by_sid", "receipt", ["provider_sid"])
    op.create_index("receipt_to_settle", "receipt", ["look_at"])
    op.create_table(
        "sender_stop",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
