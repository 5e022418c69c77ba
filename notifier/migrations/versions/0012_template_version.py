"""Messages keep which words of their template they came from; those that left before do not know."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("message", sa.Column("template_version", sa.String(12), nullable=True))
