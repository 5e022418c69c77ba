"""`notifier triage train`: the learned layer made anew from the labelled replies, the same from the same ones."""

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from notifier import evaluating, graphs, shrinking, tuning
from notifier.catalog import SHIPPED
from notifier.catalog.learning import LONGEST, MODEL, REPLIES, limits_of, save_learned
from notifier.catalog.rules import tables
from notifier.core.triage import Rules, read
from notifier.core.triage.learned import HEADS, Examples, Learned, Limits, Places
from notifier.core.triage.networks import Encoder, Judge, Words
from notifier.core.triage.pieces import Pieces
from notifier.core.triage.raising import features
from notifier.core.triage.reading import by_rules
from notifier.core.triage.words import plain
from notifier.core.vocabulary import THERAPY_FLAGS, Flag, Urgency
from notifier.errors import NotifierError
from notifier.evaluating import Labelled

PASSES = 2.5  # over all replies, in tuning
EASE = 0.2  # how much an example may be contradicted by its neighbours (the ridge)
SPEAKERS = 8_000  # of the replies at most so many stay in the model, some of each situation
AXES = 256  # of the encoder's 512 directions, those in which replies differ most
PART = 2_000  # replies weighed at once
CHATTER = 3.0  # how much more a reply with nothing to report counts: there is far more small talk than in these files
LEFT_OUT = 5  # one situation in so many is left out of a first model, which is judged by it


@dataclass(frozen=True)
class Example:
    """A labelled reply as the layer sees it."""

    reply: Labelled
    vector: Any
    found: list[str]


def train(
    rules: Rules, model: Path = MODEL, replies: Path = REPLIES, *, judged: bool = False, passes: float = PASSES
) -> Iterator[str]:
    """Train on the labelled replies and write the model; `judged`: first say how one does that has not seen some.

    Yields what it does. Raises NotifierError where there are no replies.
    """
    labelled = [reply for file in sorted(replies.glob("*.jsonl")) for reply in evaluating.labelled(file)]
    if not labelled:
        raise NotifierError(f"there are no labelled replies in {replies}")
    yield f"{len(labelled)} replies in {len({reply.situation for reply in labelled})} situations"
    texts = [plain(reply.text) for reply in labelled]
    words, scores, weights = shrinking.meaning(texts)
    encoder = (words, scores, graphs.table(weights["table"]), graphs.meaning(weights))
    begun = shrinking.judge(texts)
    yield f"{len(words)} and {len(begun[0])} pieces of words"
    limits = limits_of(tables([SHIPPED])["learned.toml"])
    meant = Encoder(Words(Pieces(words, scores, LONGEST["encoder"]), *encoder[2]), encoder[3])
    examples = [_example(reply, rules, meant) for reply in labelled]
    if judged:
        yield "on situations left out:"
        known = [each for each in examples if not _is_left_out(each.reply)]
        fitted = yield from fit(known, begun, passes)
        own = replace(rules, learned=fitted.learned(meant, limits))
        for line in list(evaluating.report(_left_out(examples, own)))[:14]:
            yield f"  {line}"
    made = yield from fit(examples, begun, passes)
    networks = {"encoder": encoder, "judge": (*begun[:2], made.table, made.network)}
    save_learned(made.examples, networks, made.features, made.answers, model)
    yield f"written: {model.name}, {model.stat().st_size / 1e6:.1f} MB"


@dataclass(frozen=True)
class Fitted:
    """What replies have taught."""

    features: Sequence[str]
    answers: Sequence[str]
    examples: Examples
    pieces: Pieces
    table: tuple[Any, Any]
    network: bytes

    def learned(self, encoder: Encoder, limits: Limits) -> Learned:
        """As the layer that reads."""
        numbers = {name: number for number, name in enumerate(self.features)}
        judge = Judge(Words(self.pieces, *self.table), self.network)
        return Learned(limits, numbers, self.answers, encoder, self.examples, judge)


def fit(examples: Sequence[Example], begun: shrinking.Network, passes: float) -> Generator[str, None, Fitted]:
    """Both halves of the layer that these examples make; says how it goes."""
    features = sorted({name for example in examples for name in example.found})
    numbers = {name: number for number, name in enumerate(features)}
    answers = [*HEADS, *sorted({kind for example in examples for kind in example.reply.kinds})]
    told = np.array([_told(example.reply, answers) for example in examples], dtype=np.float32)
    counts = np.array([CHATTER if each.reply.kinds == {"OK_FINE"} else 1 for each in examples], dtype=np.float32)
    marks = np.zeros((len(features), len(examples)), dtype=np.int8)
    for at, example in enumerate(examples):
        marks[[numbers[name] for name in example.found], at] = 1
    yield "  comparing"
    spoken = _speaking(examples, marks, told, counts)
    pieces = Pieces(begun[0], begun[1], LONGEST["judge"])
    read = [pieces.of(plain(each.reply.text)) for each in examples]
    weights = yield from tuning.tuned(begun[2], tuning.Lesson(read, marks.T, told), passes)
    return Fitted(features, answers, spoken, pieces, graphs.table(weights["table"]), graphs.judge(weights))


def _speaking(examples: Sequence[Example], marks: Any, told: Any, counts: Any) -> Examples:
    """Kernel ridge regression on some of the examples, fitted to all (Nystroem)."""
    usual = told.mean(axis=0, dtype=np.float64)
    meant = np.array([example.vector for example in examples], dtype=np.float32)
    axes = np.linalg.eigh(meant.T.astype(np.float64) @ meant)[1][:, : -AXES - 1 : -1].astype(np.float32)
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # a direction has no sign of its own
    vectors = meant @ axes
    chosen = _speakers(examples)
    places = Places(vectors[chosen], marks[:, chosen])
    own = places.all_near(vectors[chosen], marks[:, chosen]).astype(np.float64)
    weighed, wanted = EASE * own + 1e-4 * np.eye(len(chosen)), np.zeros((len(chosen), told.shape[1]))
    for part in (slice(at, at + PART) for at in range(0, len(examples), PART)):
        near = places.all_near(vectors[part], marks[:, part])
        counted = near * counts[part, None]
        weighed += near.T @ counted
        wanted += counted.T @ (told[part] - usual)
    return Examples(
        usual=usual.astype(np.float32),
        axes=axes,
        vectors=vectors[chosen],
        marks=marks[:, chosen],
        voices=np.linalg.solve(weighed, wanted).astype(np.float32),
        texts=[examples[at].reply.text for at in chosen],
    )


def _speakers(examples: Sequence[Example]) -> list[int]:
    """The places of those that stay: first one of each situation, then a second, and so on."""
    turns: Counter[str] = Counter()
    order = []
    for at, example in enumerate(examples):
        order.append((turns[example.reply.situation], _drawn(example.reply.text), at))
        turns[example.reply.situation] += 1
    return sorted(at for _, _, at in sorted(order)[:SPEAKERS])


def _drawn(text: str) -> int:
    """A number as good as drawn, and the same every time."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def _told(reply: Labelled, answers: Sequence[str]) -> list[bool]:
    heads = [reply.urgency.is_red, reply.urgency is Urgency.EMERGENCY, reply.urgency is not Urgency.NONE]
    return [*heads, *(answer in reply.kinds for answer in answers[len(HEADS) :])]


def _example(reply: Labelled, rules: Rules, encoder: Encoder) -> Example:
    reading, text = by_rules(reply.text, rules, prompt=reply.prompt, flags=_flags(reply))
    return Example(reply, encoder.encode(plain(text.raw)), features(reading, text, reply.prompt))


def _flags(reply: Labelled) -> frozenset[Flag]:
    return frozenset({THERAPY_FLAGS[reply.therapy]}) if reply.therapy in THERAPY_FLAGS else frozenset()


def _left_out(examples: Sequence[Example], rules: Rules) -> evaluating.Evaluation:
    """The replies of one situation in five, as they are read by a layer that has seen none of these."""
    pairs = [
        (each.reply, read(each.reply.text, rules, prompt=each.reply.prompt, flags=_flags(each.reply)))
        for each in examples
        if _is_left_out(each.reply)
    ]
    return evaluating.Evaluation(pairs)


def _is_left_out(reply: Labelled) -> bool:
    return _drawn(reply.situation or reply.text) % LEFT_OUT == 0
