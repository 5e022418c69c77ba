"""Red flags first: whether a text looks like one is known when it comes in, so that it is read before the others."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("inbound", sa.Column("hurry", sa.Boolean(), nullable=False, server_default=sa.false()))
