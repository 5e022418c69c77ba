"""The console: names that are found by hash, a second step at the door, who looks at a ticket, dropped files."""

import sqlalchemy as sa
from alembic import op

from notifier.core import names
from notifier.sealing import keyring

revision = "0008"
down_revision = "0006"

_UNSETTLED = sa.text("state IN ('failed', 'uncertain')")


def upgrade() -> None:
    _find_by_name()
    _second_step()
    op.create_table(
        "ticket_seen",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("real_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"]),
        sa.PrimaryKeyConstraint("staff_id", "ticket_id"),
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("by", sa.LargeBinary(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("sites", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("fates", sa.LargeBinary(), nullable=False),
        sa.Column("why", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "message_by_day",
        "message",
        ["due_at"],
        postgresql_include=["state", "channel", "prompt", "answered_at", "segments", "staff_id", "site_key"],
    )
    to_staff = sa.text("staff_id IS NOT NULL")
    op.create_index("message_pages", "message", ["due_at"], postgresql_where=to_staff, sqlite_where=to_staff)
    op.create_index("message_troubled", "message", ["due_at"], postgresql_where=_UNSETTLED, sqlite_where=_UNSETTLED)
    op.create_index("ticket_by_age", "ticket", ["opened_at"])
    op.create_index("ticket_on_board", "ticket", ["state", "urgency", "resolved_at", "site_key"])
    op.create_index("event_by_day", "care_event", ["kind", "starts_at"])


def _find_by_name() -> None:
    """Two hashes for each patient; those who are there get theirs now, under the key that is drawn already."""
    op.add_column("patient", sa.Column("name_hash", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("patient", sa.Column("family_hash", sa.String(length=64), nullable=False, server_default=""))
    patient = sa.table(
        "patient",
        *(sa.column(name) for name in ("id", "given_name", "family_name", "name_hash", "family_hash")),
    )
    connection, ring = op.get_bind(), keyring()
    for row in connection.execute(sa.select(patient.c.id, patient.c.given_name, patient.c.family_name)).all():
        given, family = (ring.open(bytes(sealed)) for sealed in row[1:])
        whole, alone = (ring.lookup(name) for name in names.keys(given, family))
        connection.execute(patient.update().where(patient.c.id == row[0]).values(name_hash=whole, family_hash=alone))
    op.create_index("patient_by_name", "patient", ["name_hash"])
    op.create_index("patient_by_family", "patient", ["family_hash"])
    op.create_index("patient_by_age", "patient", ["created_at", "id"])


def _second_step() -> None:
    op.add_column("staff", sa.Column("totp_secret", sa.LargeBinary(), nullable=True))
    op.add_column("staff", sa.Column("totp_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("staff", sa.Column("phone_code", sa.String(length=64), nullable=True))
    op.add_column("staff", sa.Column("phone_code_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("staff", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    op.add_column("console_session", sa.Column("browser", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("console_session", sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code_hash"),
    )
    op.create_index("ix_recovery_code_staff_id", "recovery_code", ["staff_id"])
