"""What a plan's life needs: moved and failed events, counted doses, questions by name, and when staff are told."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("message", sa.Column("question", sa.String(length=200), nullable=True))
    op.add_column("consent_record", sa.Column("wording", sa.String(length=60), nullable=True))
    for name in ("cold_at", "over_at"):
        op.add_column("care_event", sa.Column(name, INSTANT, nullable=True))
    op.add_column("care_event", sa.Column("moves", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("care_event", sa.Column("missing", sa.LargeBinary(), nullable=True))
    op.add_column("therapy_plan", sa.Column("reminders_zone", sa.String(length=64), nullable=True))
    op.add_column("therapy_plan", sa.Column("doses_left", sa.Integer(), nullable=True))
    for name in ("supplies_ready_at", "changed_at", "paused_at", "ended_at", "counted_at"):
        op.add_column("therapy_plan", sa.Column(name, INSTANT, nullable=True))
    op.create_table(
        "watch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["therapy_plan.id"]),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"]),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_watch_plan_id"), "watch", ["plan_id"], unique=False)
    op.create_index(
        "watch_due",
        "watch",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
