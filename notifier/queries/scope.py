"""What every select asks: which sites somebody may see."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement

from notifier.core.vocabulary import CANARY

Sites = Sequence[str]  # the keys of the sites that somebody may see; empty: every site
VIEWED = ("patient.viewed", "ticket.viewed", "recording.played")  # lines about reading, which change nothing


def at(column: Any, sites: Sites) -> list[ColumnElement[bool]]:
    """The condition that a row is of one of these sites; the service's test of itself is in none that anybody sees."""
    return [column.in_(sites)] if sites else [column != CANARY]
