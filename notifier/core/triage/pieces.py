"""Text cut into the pieces of words that a network reads."""

from collections.abc import Sequence
from functools import lru_cache

BEGIN, END, UNKNOWN = 0, 1, 2  # the first three pieces of every list
_SPACE = "▁"


class Pieces:
    """Cuts text into the likeliest pieces of words, at most `longest` of them: what comes after is not looked at."""

    def __init__(self, pieces: Sequence[str], scores: Sequence[float], longest: int) -> None:
        self._number = {piece: number for number, piece in enumerate(pieces)}
        self._scores = [float(score) for score in scores]
        self._widest = max(map(len, pieces))
        self._unlikely = min(self._scores) - 10
        self._longest = longest
        self.of_word = lru_cache(maxsize=8192)(self._of_word)

    def of(self, text: str) -> list[int]:
        """The numbers of a text's pieces, with the marks of its beginning and end."""
        cut = [number for word in text.split() for number in self.of_word(word)]
        return [BEGIN, *cut[: self._longest - 2], END]

    def _of_word(self, word: str) -> tuple[int, ...]:
        """The pieces of the cut whose scores sum highest (Viterbi)."""
        marked = _SPACE + word
        size = len(marked)
        best = [0.0] + [-1e30] * size
        cuts: list[tuple[int, int]] = [(0, UNKNOWN)] * (size + 1)
        for start in range(size):
            for end in range(start + 1, min(start + self._widest, size) + 1):
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
