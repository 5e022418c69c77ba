"""Who is woken: own ways and second phones, turns, calendars, promises, links, bundled pages, hand-overs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

WORD = sa.String(24)
INSTANT = sa.DateTime(timezone=True)
EMPTY_LIST = sa.text("'[]'")
RINGING = sa.text("state = 'sent' AND channel = 'voice' AND staff_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("site", sa.Column("business_hours", sa.String(11)))
    op.add_column("site", sa.Column("business_days", sa.JSON(), nullable=False, server_default=EMPTY_LIST))
    op.add_column("site", sa.Column("holidays", sa.String(12), nullable=False, server_default=""))
    op.add_column("staff", sa.Column("second_phone", sa.LargeBinary()))
    op.add_column("staff", sa.Column("second_phone_hash", sa.String(64)))
    op.add_column("staff", sa.Column("reach", sa.JSON(), nullable=False, server_default=EMPTY_LIST))
    op.add_column("staff", sa.Column("phone_verified_at", INSTANT))
    op.add_column("staff", sa.Column("texts_stopped_at", INSTANT))
    op.create_index("staff_by_second_phone", "staff", ["second_phone_hash"], unique=True)
    op.add_column("on_call_shift", sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("on_call_shift", sa.Column("turns", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("on_call_shift", sa.Column("turn_days", sa.Integer(), nullable=False, server_default="7"))
    op.add_column("on_call_shift", sa.Column("made_by", sa.LargeBinary()))
    op.add_column("patient", sa.Column("held_until", INSTANT))
    _ticket()
    _tables()


def _ticket() -> None:
    op.add_column("ticket", sa.Column("merged_id", sa.Uuid()))
    op.add_column("ticket", sa.Column("target_minutes", sa.Integer()))
    op.add_column("ticket", sa.Column("counts_from", INSTANT, nullable=False, server_default="2026-01-01 00:00:00"))
    op.execute("UPDATE ticket SET counts_from = opened_at")
    op.add_column("ticket", sa.Column("promised_by", INSTANT))
    op.add_column("ticket", sa.Column("promise_step", WORD))
    op.add_column("ticket", sa.Column("promise_due_at", INSTANT))
    op.execute(  # what was due before this release is left to the ladder: nobody is texted about it now
        "UPDATE ticket SET promise_step = 'late', promise_due_at = respond_by "
        "WHERE state != 'resolved' AND contacted_at IS NULL AND respond_by > CURRENT_TIMESTAMP"
    )
    op.add_column("ticket", sa.Column("answers", sa.LargeBinary()))
    for name, column, where in (
        ("ticket_lapsing", "ack_expires_at", "state = 'acknowledged'"),
        ("ticket_red", "ladder_from", "state = 'open' AND urgency IN ('emergency', 'urgent')"),
        ("ticket_promised", "promise_due_at", "promise_due_at IS NOT NULL"),
    ):
        op.create_index(
            name, "ticket", [column], unique=False, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )


def _tables() -> None:
    op.create_index(
        "message_ringing", "message", ["sent_at"], unique=False, postgresql_where=RINGING, sqlite_where=RINGING
    )
    op.create_table(
        "ticket_link",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"]),
        sa.ForeignKeyConstraint(["other_id"], ["ticket.id"]),
        sa.PrimaryKeyConstraint("ticket_id", "other_id"),
    )
    op.create_table(
        "paged",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"]),
        sa.PrimaryKeyConstraint("message_id", "ticket_id"),
    )
    op.create_index("paged_by_ticket", "paged", ["ticket_id"], unique=False)
    op.execute(
        "INSERT INTO paged (message_id, ticket_id) SELECT id, ticket_id FROM message "
        "WHERE staff_id IS NOT NULL AND ticket_id IS NOT NULL AND template IN ('page', 'page.assigned')"
    )
    op.create_table(
        "hand_over",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_key", sa.String(64), nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("confirm_by", INSTANT),
        sa.Column("confirmed_at", INSTANT),
        sa.ForeignKeyConstraint(["site_key"], ["site.key"]),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site_key", "role", "staff_id", "began_at"),
    )
