"""How well labelled replies are understood: `notifier triage --evaluate` counts it and prints every miss."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notifier.core.triage import Reading
from notifier.core.vocabulary import Prompt, Therapy, Urgency
from notifier.errors import NotifierError

Reader = Callable[[str, Prompt | None, Therapy | None], Reading]
LEVELS = list(Urgency)


@dataclass(frozen=True)
class Labelled:
    """One reply with what careful people say it means."""

    text: str
    kinds: frozenset[str]
    urgency: Urgency
    situation: str = ""
    prompt: Prompt | None = None
    therapy: Therapy | None = None


@dataclass(frozen=True)
class Rate:
    """Hits among what was true and among what was said."""

    hits: int
    told: int
    said: int

    @property
    def recall(self) -> float:
        """How much of what was told was heard; 1 of nothing."""
        return self.hits / self.told if self.told else 1.0

    @property
    def precision(self) -> float:
        """How much of what was said was told; 1 of nothing."""
        return self.hits / self.said if self.said else 1.0

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.hits / (self.told + self.said) if self.told + self.said else 1.0


@dataclass(frozen=True)
class Evaluation:
    """Labelled replies beside how they were read."""

    pairs: Sequence[tuple[Labelled, Reading]]

    def of(self, *urgencies: Urgency) -> Rate:
        """How well replies of these urgencies are told from the others."""
        return _rate((one.urgency in urgencies, read.urgency in urgencies) for one, read in self.pairs)

    def of_kind(self, kind: str) -> Rate:
        """How well one kind is heard."""
        return _rate((kind in one.kinds, kind in read.kinds) for one, read in self.pairs)

    @property
    def kinds(self) -> Rate:
        """All kinds of all replies in one count (micro average)."""
        return Rate(
            sum(len(one.kinds & set(read.kinds)) for one, read in self.pairs),
            sum(len(one.kinds) for one, _ in self.pairs),
            sum(len(read.kinds) for _, read in self.pairs),
        )

    @property
    def exact(self) -> float:
        """The share of replies whose urgency is exactly right."""
        return sum(one.urgency is read.urgency for one, read in self.pairs) / max(1, len(self.pairs))

    @property
    def unseen(self) -> list[Labelled]:
        """Red flags that no human would see."""
        return [one for one, read in self.pairs if one.urgency.is_red and not read.ticket]

    @property
    def confusion(self) -> Mapping[tuple[Urgency, Urgency], int]:
        """How many replies of one urgency were read as which."""
        return Counter((one.urgency, read.urgency) for one, read in self.pairs)


def _rate(pairs: Iterable[tuple[bool, bool]]) -> Rate:
    counted = Counter(pairs)
    return Rate(
        counted[True, True], counted[True, True] + counted[True, False], counted[True, True] + counted[False, True]
    )


def labelled(path: Path) -> list[Labelled]:
    """The labelled replies of a JSON Lines file. Raises NotifierError, which names the first bad line."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(_labelled(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotifierError(
                f'{path.name}: line {number}: {error!r}: a line is {{"text", "kinds", "urgency"}}'
            ) from None
    return found


def _labelled(row: Mapping[str, Any]) -> Labelled:
    prompt = row.get("prompt")
    if prompt is None and "temperature" in row.get("note", ""):  # how the sample tells its prompt
        prompt = "temperature"
    return Labelled(
        text=row["text"],
        kinds=frozenset(row["kinds"] if "kinds" in row else row["codes"]),
        urgency=Urgency(row["urgency"].lower().replace("-", "_")),
        situation=row.get("situation", ""),
        prompt=Prompt(prompt) if prompt else None,
        therapy=Therapy(row["therapy"]) if row.get("therapy") in list(Therapy) else None,
    )


def evaluate(replies: Iterable[Labelled], read: Reader) -> Evaluation:
    """Each reply as it is read."""
    return Evaluation([(one, read(one.text, one.prompt, one.therapy)) for one in replies])


def report(found: Evaluation) -> Iterator[str]:
    """The figures, the table of confusion and every miss, for the eye."""
    yield f"{len(found.pairs)} replies"
    yield _line("red flags", found.of(Urgency.EMERGENCY, Urgency.URGENT))
    yield from (_line(level.value, found.of(level)) for level in LEVELS)
    yield f"urgency exactly right: {found.exact:.1%}"
    yield f"red flags that no human would see: {len(found.unseen)}"
    yield _line("all kinds", found.kinds)
    yield ""
    yield "told \\ read   " + " ".join(f"{level:>10}" for level in LEVELS)
    for told in LEVELS:
        yield f"{told:<14}" + " ".join(f"{found.confusion.get((told, read), 0):>10}" for read in LEVELS)
    yield ""
    for kind in sorted({kind for one, read in found.pairs for kind in (*one.kinds, *read.kinds)}):
        yield _line(kind, found.of_kind(kind))
    yield ""
    for one, read in found.pairs:
        if one.urgency is not read.urgency or one.kinds != set(read.kinds):
            yield (
                f"{_mark(one, read)} {one.urgency} {', '.join(sorted(one.kinds))}"
                f" -> {read.urgency} {', '.join(read.kinds)}: {one.text}"
            )


def _mark(one: Labelled, read: Reading) -> str:
    """What sort of miss it is, so that the worst are found by eye or by grep."""
    if one.urgency.is_red and not read.ticket:
        return "UNSEEN"
    if one.urgency.is_red and not read.urgency.is_red:
        return "MISSED"
    if read.urgency.is_red and not one.urgency.is_red:
        return "FALSE"
    return "URGENCY" if one.urgency is not read.urgency else "KIND"


def _line(name: str, rate: Rate) -> str:
    return (
        f"{name:<20} recall {rate.recall:6.1%}  precision {rate.precision:6.1%}  F1 {rate.f1:5.2f}"
        f"  ({rate.hits} of {rate.told} told, {rate.said} said)"
    )
