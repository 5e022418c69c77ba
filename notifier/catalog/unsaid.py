"""What no message says, whoever wrote it: names of drugs, kinds of line, illnesses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.core.wording import bare


@dataclass(frozen=True)
class Unsaid:
    """One kind of word that stays unsaid, and what to write instead."""

    say: str
    pattern: re.Pattern[str]

    def found_in(self, words: str) -> str | None:
        """The first such word, without case and accents."""
        found = self.pattern.search(bare(words))
        return found[0] if found else None


def read_unsaid(table: Mapping[str, Any], faults: list[str]) -> dict[str, Unsaid]:
    """`unsaid.toml` by kind; what has the wrong shape is added to `faults`."""
    found = {}
    for kind, entry in table.items():
        words = entry.get("words") if isinstance(entry, dict) else None
        if not isinstance(words, list) or not all(isinstance(each, str) for each in words) or "say" not in entry:
            faults.append(f"unsaid.toml: {kind}: needs say, and words as a list")
            continue
        one_of = "|".join(re.escape(bare(each)).replace(r"\*", r"\w*") for each in words) or "(?!)"
        found[kind] = Unsaid(str(entry["say"]), re.compile(rf"\b(?:{one_of})\b"))
    return found
