"""A text as a vector: near each other where two texts mean much the same, in English, in Spanish and across them.

The network is Google's multilingual universal sentence encoder (version 3, Apache License 2.0), cut down by
`notifier triage train` to the pieces of words that patients write and to whole bytes.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BRANCHES = ((2, 0), (3, 1), (5, 2))  # a window's width in pieces, and how many of them stand before
LONGEST = 192  # pieces; what comes after is not looked at
BEGIN, END, UNKNOWN = 0, 1, 2  # the first three pieces
_SPACE = "▁"
_TINY = 1e-12


class Pieces:
    """Cuts text into the likeliest pieces of words."""

    def __init__(self, pieces: Sequence[str], scores: Array) -> None:
        self._number = {piece: number for number, piece in enumerate(pieces)}
        self._scores = [float(score) for score in scores]
        self._longest = max(map(len, pieces))
        self._unlikely = min(self._scores) - 10
        self.of_word = lru_cache(maxsize=8192)(self._of_word)

    def of(self, text: str) -> list[int]:
        """The numbers of a text's pieces, with the marks of its beginning and end."""
        cut = [number for word in text.split() for number in self.of_word(word)]
        return [BEGIN, *cut[: LONGEST - 2], END]

    def _of_word(self, word: str) -> tuple[int, ...]:
        """The pieces of the cut whose scores sum highest (Viterbi)."""
        marked = _SPACE + word
        size = len(marked)
        best = [0.0] + [-1e30] * size
        cuts: list[tuple[int, int]] = [(0, UNKNOWN)] * (size + 1)
        for start in range(size):
            for end in range(start + 1, min(start + self._longest, size) + 1):
                number = self._number.get(marked[start:end])
                if number is None and end > start + 1:
                    continue
                score = best[start] + (self._unlikely if number is None else self._scores[number])
                if score > best[end]:
                    best[end], cuts[end] = score, (start, UNKNOWN if number is None else number)
        found: list[int] = []
        at = size
        while at > 0:
            at, number = cuts[at]
            found.append(number)
        return tuple(reversed(found))


class Encoder:
    """The network with its weights. Its vectors have 512 numbers and length 1."""

    def __init__(self, pieces: Sequence[str], weights: Mapping[str, Any]) -> None:
        self.pieces = Pieces(pieces, weights["scores"])
        self._table: NDArray[np.int8] = weights["table"]
        self._scale: Array = weights["table.scale"]
        self._w = {name: whole(weights, name) for name in weights if name.startswith("w.") and ".scale" not in name}

    def encode(self, text: str) -> Array:
        """The vector of a text."""
        return self.of_pieces(self.pieces.of(text))

    def of_pieces(self, numbers: Sequence[int]) -> Array:
        """The vector of a text that is cut already."""
        w = self._w
        read: Array = np.asarray(self._table[numbers] * self._scale[numbers, None], dtype=np.float32)
        cast: Array = read @ w["w.project"] + w["w.project_bias"]
        branches = _even(cast, w["w.project_gain"], w["w.project_shift"])
        seen = [read]
        for number, (width, before) in enumerate(BRANCHES):
            plain = branches[:, number * 256 : (number + 1) * 256]
            once = plain + _bent(_windows(plain, width, before) @ w[f"w.once{width}"] + w[f"w.once_bias{width}"])
            seen.append(once + _bent(_windows(once, width, before) @ w[f"w.twice{width}"] + w[f"w.twice_bias{width}"]))
        pooled = _even(np.concatenate(seen, axis=1, dtype=np.float32), w["w.seen_gain"], w["w.seen_shift"]).sum(axis=0)
        mean = (pooled @ w["w.pool"] + len(numbers) * w["w.pool_bias"][0]) / np.sqrt(np.float32(len(numbers)))
        deep = _bent(mean @ w["w.short1"] + _bent(mean @ w["w.deep0"]) @ w["w.deep1"])
        out = np.tanh(deep @ w["w.short3"] + _bent(deep @ w["w.deep2"]) @ w["w.deep3"])
        return np.asarray(out / np.sqrt(max(float(out @ out), _TINY)), dtype=np.float32)


def whole(weights: Mapping[str, Any], name: str) -> Array:
    """A matrix as it is reckoned with, from bytes and one scale for each column."""
    return np.asarray(weights[name].astype(np.float32) * weights[f"{name}.scale"], dtype=np.float32)


def _bent(x: Array) -> Array:
    return np.maximum(x, np.float32(0))


def _even(x: Array, gain: Array, shift: Array) -> Array:
    """Each row with mean 0 and spread 1, then gain and shift (a layer norm)."""
    x = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt((x * x).mean(axis=1, keepdims=True) + np.float32(_TINY))
    return np.asarray(x / spread * gain + shift, dtype=np.float32)


def _windows(x: Array, width: int, before: int) -> Array:
    """Each row beside its neighbours, nothing beyond the ends."""
    rows, columns = x.shape
    padded = np.zeros((rows + width - 1, columns), dtype=np.float32)
    padded[before : before + rows] = x
    return np.concatenate([padded[at : at + rows] for at in range(width)], axis=1)
