"""What to ask and what to record, by the kinds of a ticket: loaded from checklists.toml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from notifier.core.triage import Row

PARTS = ("ask", "record")


@dataclass(frozen=True)
class Checklist:
    """Questions for the call, and facts to write down."""

    ask: tuple[str, ...] = ()
    record: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them, as they are asked."""
        return (*self.ask, *self.record)

    def __bool__(self) -> bool:
        return bool(self.lines)

    def and_then(self, other: "Checklist") -> "Checklist":
        """This one with what the other has besides."""
        return Checklist(
            tuple(dict.fromkeys([*self.ask, *other.ask])), tuple(dict.fromkeys([*self.record, *other.record]))
        )


@dataclass(frozen=True)
class Checklists:
    """Every list, by kind and by group of kinds."""

    kinds: Mapping[str, Checklist] = field(default_factory=dict)
    groups: Mapping[str, Checklist] = field(default_factory=dict)

    def of(self, kinds: Sequence[str], rows: Mapping[str, Row]) -> Checklist:
        """The list for a ticket of these kinds: each kind's own, else its group's."""
        found = Checklist()
        for kind in kinds:
            group = rows[kind].group if kind in rows else "other"
            found = found.and_then(self.kinds.get(kind) or self.groups.get(group, Checklist()))
        return found


def read(table: Mapping[str, Any], faults: list[str]) -> Checklists:
    """The file's lists; what is wrong is added to `faults`."""
    for section in table.keys() - {"kind", "group"}:
        faults.append(f"checklists.toml: {section}: no such section; kind or group")
    return Checklists(*(_lists(table.get(section, {}), section, faults) for section in ("kind", "group")))


def _lists(table: Mapping[str, Any], section: str, faults: list[str]) -> dict[str, Checklist]:
    found = {}
    for name, entry in table.items():
        parts: dict[str, Any] = entry if isinstance(entry, dict) else {"": None}
        wrong = [
            part
            for part, lines in parts.items()
            if part not in PARTS or not isinstance(lines, list) or not all(isinstance(line, str) for line in lines)
        ]
        if wrong:
            faults.append(f"checklists.toml: {section}.{name}: needs ask and record, each a list of texts")
        else:
            found[name] = Checklist(*(tuple(parts.get(part, ())) for part in PARTS))
    return found
