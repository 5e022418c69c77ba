"""The learned layer: how much a text is like replies whose meaning people have told us.

Two halves, each right where the other errs. One compares: a regression over examples (kernel ridge), each of which
speaks for or against each answer, the more the nearer it is to the text in meaning and in what the rules found. The
other reads: a network tuned on the same replies. The reason given is always a few replies that one can read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from notifier.core.triage.networks import Array, Encoder, Judge

HEADS = ("red", "emergency", "care")  # the first answers; then one for each code
NARROW = np.float32(1.2)  # how fast an example's word loses weight with distance
JUDGED = np.float32(0.25)  # what the second half counts of the whole
OF_RULES = np.float32(0.2)  # what one difference in the rules' findings counts, beside the whole meaning's 1


@dataclass(frozen=True)
class Limits:
    """From which score on the layer acts; a nurse's data, in learned.toml."""

    page: float  # a red flag: somebody is paged
    emergency: float  # an emergency
    look: float  # perhaps a red flag: a nurse looks
    name: float  # one code, where no rule explains the text
    add: float  # one code beside what the rules found
    chatter: float  # at most so much of a need: small talk


@dataclass(frozen=True)
class Opinion:
    """The scores of one text, near 0 for no and near 1 for yes, and the examples that spoke for a red flag."""

    red: float
    emergency: float
    care: float  # it needs anybody at all
    kinds: Mapping[str, float]  # the likely codes
    like: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """Labelled replies, and how loudly each speaks for each answer."""

    usual: Array  # each answer's score before any example has spoken
    axes: Array  # (512, 256): the directions in which replies differ
    vectors: Array  # (examples, 256)
    marks: NDArray[np.int8]  # (features, examples)
    voices: Array  # (examples, answers)
    texts: Sequence[str]

    @cached_property
    def places(self) -> "Places":
        """Where they lie."""
        return Places(self.vectors, self.marks)

    @cached_property
    def _for_red(self) -> NDArray[np.bool_]:
        """Which examples speak for a red flag."""
        return np.ascontiguousarray(self.voices[:, 0] > 0)

    def heard(self, vector: Array, found: Sequence[int]) -> tuple[Array, tuple[str, ...]]:
        """What they say of a text at `vector`: each answer's score, and the three that speak loudest of a red flag."""
        weights = self.places.near(vector @ self.axes, found)
        spoke = weights * self._for_red
        nearest = np.argpartition(-spoke, min(3, len(spoke) - 1))[:3]
        like = tuple(self.texts[n] for n in nearest[np.argsort(-spoke[nearest])])
        return self.usual + weights @ self.voices, like


class Places:
    """Where examples lie: in meaning, and in what the rules found in them."""

    def __init__(self, vectors: Array, marks: NDArray[np.int8]) -> None:
        self.vectors, self.marks = vectors, marks
        self._sizes = (vectors * vectors).sum(axis=1) + OF_RULES**2 * marks.sum(axis=0, dtype=np.int32)

    def near(self, vector: Array, found: Sequence[int]) -> Array:
        """The weight of each example's word for one text: 1 for itself, near 0 for what has nothing to do with it."""
        size = vector @ vector + OF_RULES**2 * len(found)
        shared = self.marks[found].sum(axis=0, dtype=np.int32) if found else 0
        alike = 2 * (self.vectors @ vector) + 2 * OF_RULES**2 * shared
        return np.asarray(np.exp(-NARROW * (self._sizes + size - alike)), dtype=np.float32)

    def all_near(self, vectors: Array, marks: NDArray[np.int8]) -> Array:
        """The same for many texts: (texts, examples)."""
        found = marks.T.astype(np.float32)
        sizes = (vectors * vectors).sum(axis=1) + OF_RULES**2 * found.sum(axis=1)
        alike = 2 * (vectors @ self.vectors.T) + 2 * OF_RULES**2 * (found @ self.marks.astype(np.float32))
        return np.asarray(np.exp(-NARROW * (sizes[:, None] + self._sizes - alike)), dtype=np.float32)


@dataclass(frozen=True)
class Learned:
    """Both halves."""

    limits: Limits
    features: Mapping[str, int]
    answers: Sequence[str]  # HEADS, then codes
    encoder: Encoder
    examples: Examples
    judge: Judge

    def opinion(self, text: str, found: Iterable[str]) -> Opinion:
        """What the layer makes of a plain text and of what the rules found in it."""
        own = [self.features[name] for name in found if name in self.features]
        heard, like = self.examples.heard(self.encoder.encode(text), own)
        scores = blended(heard, self.judge.scores(text, own))
        return Opinion(
            red=float(scores[0]),
            emergency=float(scores[1]),
            care=float(scores[2]),
            kinds={self.answers[n]: float(scores[n]) for n in np.argsort(-scores) if n > 2 and scores[n] > 0.1},
            like=like,
        )


def blended(heard: Array, judged: Array) -> Array:
    """One score of both halves."""
    return np.asarray(heard + JUDGED * (judged - heard), dtype=np.float32)
