"""`notifier triage train`: the learned layer made anew from the labelled replies, the same from the same ones."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from notifier import evaluating
from notifier.catalog import SHIPPED
from notifier.catalog.learning import MODEL, REPLIES, limits_of, save_learned
from notifier.catalog.rules import tables
from notifier.core.triage import Rules, read
from notifier.core.triage.learned import HEADS, Learned, Limits, Places
from notifier.core.triage.raising import features
from notifier.core.triage.reading import by_rules
from notifier.core.triage.vectors import Encoder
from notifier.core.triage.words import plain
from notifier.core.vocabulary import THERAPY_FLAGS, Flag, Urgency
from notifier.errors import NotifierError
from notifier.evaluating import Labelled
from notifier.shrinking import pack, shrunk

EASE = 0.2  # how much an example may be contradicted by its neighbours (the ridge)
SPEAKERS = 12_000  # of the replies at most so many stay in the model, some of each situation
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


def train(rules: Rules, model: Path = MODEL, replies: Path = REPLIES) -> Iterator[str]:
    """Train on the labelled replies and write the model. Yields what it does, and how it does on some left out."""
    labelled = [reply for file in sorted(replies.glob("*.jsonl")) for reply in evaluating.labelled(file)]
    if not labelled:
        raise NotifierError(f"there are no labelled replies in {replies}")
    yield f"{len(labelled)} replies in {len({reply.situation for reply in labelled})} situations"
    try:
        pieces, weights = shrunk(plain(reply.text) for reply in labelled)
    except ImportError:
        raise NotifierError("training needs what `make dev` installs: run that first") from None
    yield f"{len(pieces)} pieces of words"
    encoder = Encoder(pieces, weights)
    limits = limits_of(tables([SHIPPED])["learned.toml"])
    examples = [_example(reply, rules, encoder) for reply in labelled]
    yield "on situations left out:"
    for line in list(evaluating.report(_left_out(examples, rules, encoder, limits)))[:14]:
        yield f"  {line}"
    learned = fit(examples, encoder, limits)
    pack(weights, "axes", learned.axes)
    pack(weights, "vectors", learned.vectors)
    weights |= {"voices": learned.voices.astype(np.float16), "voices.scale": np.float32(1)}  # bytes are too coarse
    weights |= {"marks": learned.marks, "usual": learned.usual}
    lists = {"pieces": pieces, "features": list(learned.features), "answers": learned.answers, "texts": learned.texts}
    save_learned(weights, lists, model)
    yield f"written: {model.name}, {model.stat().st_size / 1e6:.1f} MB"


def fit(examples: Sequence[Example], encoder: Encoder, limits: Limits) -> Learned:
    """The layer that these examples make: kernel ridge regression on some of them, fitted to all (Nystroem)."""
    names = sorted({name for example in examples for name in example.found})
    numbers = {name: number for number, name in enumerate(names)}
    answers = [*HEADS, *sorted({kind for example in examples for kind in example.reply.kinds})]
    told = np.array([_told(example.reply, answers) for example in examples], dtype=np.float64)
    usual = told.mean(axis=0)
    meant = np.array([example.vector for example in examples], dtype=np.float32)
    axes = np.linalg.eigh(meant.T.astype(np.float64) @ meant)[1][:, : -AXES - 1 : -1].astype(np.float32)
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # a direction has no sign of its own
    vectors = meant @ axes
    marks = np.zeros((len(names), len(examples)), dtype=np.int8)
    for at, example in enumerate(examples):
        marks[[numbers[name] for name in example.found], at] = 1
    chosen = _speakers(examples)
    places = Places(vectors[chosen], marks[:, chosen])
    own = places.all_near(vectors[chosen], marks[:, chosen]).astype(np.float64)
    counts = np.array([CHATTER if each.reply.kinds == {"OK_FINE"} else 1 for each in examples], dtype=np.float32)
    weighed, wanted = EASE * own + 1e-4 * np.eye(len(chosen)), np.zeros((len(chosen), len(answers)))
    for part in (slice(at, at + PART) for at in range(0, len(examples), PART)):
        near = places.all_near(vectors[part], marks[:, part])
        counted = near * counts[part, None]
        weighed += near.T @ counted
        wanted += counted.T @ (told[part] - usual)
    return Learned(
        encoder=encoder,
        limits=limits,
        features=numbers,
        answers=answers,
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


def _left_out(examples: Sequence[Example], rules: Rules, encoder: Encoder, limits: Limits) -> evaluating.Evaluation:
    """The replies of one situation in five, as they are read by a layer that has seen none of these."""
    own = replace(rules, learned=fit([each for each in examples if not _is_left_out(each.reply)], encoder, limits))
    pairs = [
        (each.reply, read(each.reply.text, own, prompt=each.reply.prompt, flags=_flags(each.reply)))
        for each in examples
        if _is_left_out(each.reply)
    ]
    return evaluating.Evaluation(pairs)


def _is_left_out(reply: Labelled) -> bool:
    return _drawn(reply.situation or reply.text) % LEFT_OUT == 0
