"""`notifier triage train`: the learned layer made anew from the labelled replies, the same from the same ones."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from notifier import evaluating
from notifier.catalog.learning import MODEL, REPLIES, save_learned
from notifier.core.triage import Rules, read
from notifier.core.triage.learned import HEADS, Learned, Limits, kernel, marked
from notifier.core.triage.raising import features
from notifier.core.triage.reading import by_rules
from notifier.core.triage.vectors import Encoder
from notifier.core.triage.words import plain
from notifier.core.vocabulary import THERAPY_FLAGS, Flag, Urgency
from notifier.errors import NotifierError
from notifier.evaluating import Labelled
from notifier.shrinking import pack, shrunk

EASE = 0.1  # how much an example may be contradicted by its neighbours (the ridge)
FOLDS = 5  # parts of the situations, each judged by a model of the others


@dataclass(frozen=True)
class Example:
    """A labelled reply as the layer sees it."""

    reply: Labelled
    vector: Any
    found: list[str]


def train(rules: Rules, model: Path = MODEL, replies: Path = REPLIES) -> Iterator[str]:
    """Train on the labelled replies and write the model. Yields what it does, and how it does on folds left out."""
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
    limits = rules.learned.limits if rules.learned else Limits(0.45, 0.4, 0.12, 0.2, 0.3, 0.3)
    examples = [_example(reply, rules, encoder) for reply in labelled]
    yield "on situations left out:"
    for line in list(evaluating.report(_crossed(examples, rules, encoder, limits)))[:14]:
        yield f"  {line}"
    learned = fit(examples, encoder, limits)
    pack(weights, "vectors", learned.vectors)
    weights |= {"voices": learned.voices.astype(np.float16), "voices.scale": np.float32(1)}  # bytes are too coarse
    weights |= {"marks": learned.marks, "usual": learned.usual}
    lists = {"pieces": pieces, "features": list(learned.features), "answers": learned.answers, "texts": learned.texts}
    save_learned(weights, lists, model)
    yield f"written: {model.name}, {model.stat().st_size / 1e6:.1f} MB"


def fit(examples: Sequence[Example], encoder: Encoder, limits: Limits) -> Learned:
    """The layer that these examples make: kernel ridge regression, solved exactly."""
    names = sorted({name for example in examples for name in example.found})
    numbers = {name: number for number, name in enumerate(names)}
    answers = [*HEADS, *sorted({kind for example in examples for kind in example.reply.kinds})]
    told = np.array([_told(example.reply, answers) for example in examples], dtype=np.float64)
    vectors = np.array([example.vector for example in examples], dtype=np.float32)
    marks = np.zeros((len(names), len(examples)), dtype=np.int8)
    for at, example in enumerate(examples):
        marks[[numbers[name] for name in example.found], at] = 1
    count = marked(marks)
    near = np.array([kernel(vectors, marks, count, each.vector, [numbers[n] for n in each.found]) for each in examples])
    usual = told.mean(axis=0)
    voices = np.linalg.solve(near.astype(np.float64) + EASE * np.eye(len(examples)), told - usual)
    return Learned(
        encoder=encoder,
        limits=limits,
        features=numbers,
        answers=answers,
        usual=usual.astype(np.float32),
        vectors=vectors,
        marks=marks,
        voices=voices.astype(np.float32),
        texts=[example.reply.text for example in examples],
    )


def _told(reply: Labelled, answers: Sequence[str]) -> list[bool]:
    heads = [reply.urgency.is_red, reply.urgency is Urgency.EMERGENCY, reply.urgency is not Urgency.NONE]
    return [*heads, *(answer in reply.kinds for answer in answers[len(HEADS) :])]


def _example(reply: Labelled, rules: Rules, encoder: Encoder) -> Example:
    reading, text = by_rules(reply.text, rules, prompt=reply.prompt, flags=_flags(reply))
    return Example(reply, encoder.encode(plain(text.raw)), features(reading, text, reply.prompt))


def _flags(reply: Labelled) -> frozenset[Flag]:
    return frozenset({THERAPY_FLAGS[reply.therapy]}) if reply.therapy in THERAPY_FLAGS else frozenset()


def _crossed(examples: Sequence[Example], rules: Rules, encoder: Encoder, limits: Limits) -> evaluating.Evaluation:
    """Each reply as it is read by a layer that has seen none of its situation."""
    pairs = []
    for fold in range(FOLDS):
        own = replace(rules, learned=fit([e for e in examples if _fold(e.reply) != fold], encoder, limits))
        pairs += [
            (each.reply, read(each.reply.text, own, prompt=each.reply.prompt, flags=_flags(each.reply)))
            for each in examples
            if _fold(each.reply) == fold
        ]
    return evaluating.Evaluation(pairs)


def _fold(reply: Labelled) -> int:
    return int(hashlib.sha256((reply.situation or reply.text).encode()).hexdigest(), 16) // 8 % FOLDS
