"""Holes in a rota before anybody falls into one: a lint of the coming days."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notifier.core.oncall import Place, Shift, stretches
from notifier.core.vocabulary import Role

AHEAD = timedelta(days=30)
RUNGS = ("first rung", "backup rung")


@dataclass(frozen=True)
class Gap:
    """A rung of a role that would wake nobody from `start` to `end`."""

    role: Role
    rung: int
    start: datetime
    end: datetime
    held: bool  # somebody holds it, but has no phone that rings

    @property
    def name(self) -> str:
        """The rung in words."""
        return rung_name(self.rung)


def rung_name(rung: int) -> str:
    """`first rung`, `backup rung`, `rung 3`."""
    return RUNGS[rung] if rung < len(RUNGS) else f"rung {rung + 1}"


def gaps(
    shifts: Sequence[Shift],
    roles: Iterable[Role],
    place: Place,
    start: datetime,
    end: datetime,
    *,
    rings: Callable[[UUID], bool],
    anybody: Callable[[Role], bool],
) -> list[Gap]:
    """Every stretch in which a rung that the rota knows wakes nobody, the soonest first.

    `rings`: whether a person has a phone that can be paged. `anybody`: whether somebody who has the role could be
    asked where no rota names the role at all.
    """
    found = [gap for role in roles for gap in _of(shifts, role, place, start, end, rings, anybody)]
    return sorted(found, key=lambda gap: (gap.start, list(Role).index(gap.role), gap.rung))


def _of(
    shifts: Sequence[Shift],
    role: Role,
    place: Place,
    start: datetime,
    end: datetime,
    rings: Callable[[UUID], bool],
    anybody: Callable[[Role], bool],
) -> Iterator[Gap]:
    mine = [shift for shift in shifts if shift.role is role and shift.site in (place.site, "*")]
    if not mine:
        if not anybody(role):
            yield Gap(role, 0, start, end, held=False)
        return
    for rung in sorted({shift.rung for shift in mine} | {0}):
        last: Gap | None = None
        for piece in stretches(mine, role, rung, place, start, end):
            if any(rings(person) for person in piece.who):
                continue
            here = Gap(role, rung, piece.start, piece.end, held=bool(piece.who))
            if last and last.end == here.start:
                last = Gap(role, rung, last.start, here.end, held=last.held and here.held)
                continue
            if last:
                yield last
            last = here
        if last:
            yield last
