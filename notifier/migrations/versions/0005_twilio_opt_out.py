"""What Twilio itself made of a text: STOP, START or HELP, so that its books and ours never drift apart."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("inbound", sa.Column("opt_out", sa.String(length=5), nullable=True))
