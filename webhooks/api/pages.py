"""Long lists, a page at a time: `limit` and an opaque `cursor` that says where the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

Row = TypeVar("Row")
Place = tuple[datetime, UUID]  # an instant, and the id that tells rows of one instant apart


def encode(place: Place) -> str:
    """A place as a cursor."""
    at, row_id = place
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{row_id}".encode()).decode().rstrip("=")


def decode(cursor: Any) -> Place:
    """The place that a cursor means. Raises ValueError."""
    try:
        text = base64.urlsafe_b64decode(str(cursor) + "=" * (-len(str(cursor)) % 4)).decode()
        at, row_id = text.split("|")
        place = datetime.fromisoformat(at), UUID(row_id)
    except (ValueError, binascii.Error):
        raise ValueError("not a cursor that we gave out") from None
    if place[0].tzinfo is None:
        raise ValueError("not a cursor that we gave out")
    return place


class Page(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    limit: int = Field(100, ge=1, le=1000, description="how many items at most, 1 to 1000")
    cursor: Annotated[
        Place | None,
        BeforeValidator(decode),
        WithJsonSchema({"type": "string"}),
        Field(description="`next` of the page before; leave it out for the first page"),
    ] = None


def cut(rows: Sequence[Row], limit: int, place: Callable[[Row], Place]) -> tuple[Sequence[Row], str | None]:
    """The rows of this page and the cursor of the next; None at the end. `rows`: one more than `limit` if it can."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode(place(rows[limit - 1]))
