"""Kinds of columns that several tables share."""

import uuid
from enum import StrEnum

from sqlalchemy import (
    Enum,
)
from sqlalchemy.orm import Mapped, mapped_column


def word(enum: type[StrEnum]) -> Enum:
    """A column that holds one word of an enum, as text."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


def key() -> Mapped[uuid.UUID]:
    """A primary key that nobody can guess."""
    return mapped_column(primary_key=True, default=uuid.uuid4)
