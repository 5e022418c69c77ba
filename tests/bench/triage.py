"""`python -m tests.bench.triage`: what understanding costs, beside one regex of all phrases, and how often it is right.

Real everyday text of other people is read where it lies beside the repository, and only counted: see the README.
"""

import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from notifier import evaluating, triaging
from notifier.catalog import SHIPPED
from notifier.core import triage
from notifier.core.triage.lexicon import choices
from notifier.core.vocabulary import Urgency

HERE = Path(__file__).parents[1] / "core"
EVERYDAY = Path(__file__).parents[3] / "shared" / "clinical" / "everyday"
ROUNDS = 3
START = """
import resource, time
began = time.process_time()
from notifier import triaging
from notifier.core import triage
triage.read("hello", triaging.rules(None))
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    """Measure and print."""
    rules = triaging.rules(None)
    replies = evaluating.labelled(HERE / "heldout.jsonl")
    texts = [reply.text for reply in replies]
    seconds, megabytes = _start()
    print(f"start-up {seconds:.2f} s of CPU, {megabytes:.0f} MB")
    ours = _milliseconds(lambda text: triage.read(text, rules), texts)
    alone = _milliseconds(lambda text: triage.read(text, replace(rules, learned=None)), texts)
    plain = _milliseconds(_alternation().search, texts)
    for name, found in (("both layers", ours), ("rules alone", alone), ("one regex of all phrases", plain)):
        print(f"  {name:<26} p50 {_at(found, 0.5):7.3f} ms  p99 {_at(found, 0.99):7.3f} ms")
    print(f"  ratio to the regex, p50: {_at(ours, 0.5) / _at(plain, 0.5):.1f}")
    for name, own in (("both layers", rules), ("rules alone", replace(rules, learned=None))):
        for file in ("heldout.jsonl", "replies.jsonl"):
            _quality(name, file, evaluating.labelled(HERE / file), own)
        _everyday(name, own)


def _quality(name: str, file: str, replies: Sequence[evaluating.Labelled], rules: triage.Rules) -> None:
    found = evaluating.evaluate(replies, lambda *given: triaging.read_alone(given[0], rules, *given[1:]))
    red, emergency = found.of(Urgency.EMERGENCY, Urgency.URGENT), found.of(Urgency.EMERGENCY)
    paged = [read.urgency.is_red for one, read in found.pairs if one.urgency is Urgency.EMERGENCY]
    print(
        f"{name}, {file}: red flags recall {red.recall:.1%} precision {red.precision:.1%}; emergencies paged"
        f" {sum(paged) / len(paged):.1%}, as emergencies {emergency.recall:.1%}; unseen {len(found.unseen)};"
        f" urgency right {found.exact:.1%}; kinds F1 {found.kinds.f1:.2f}"
    )


def _everyday(name: str, rules: triage.Rules) -> None:
    for path in sorted(EVERYDAY.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        readings = [triage.read(row["text"], rules) for row in rows]
        told = [(row.get("urgent", False), read) for row, read in zip(rows, readings, strict=True)]
        red = [read.urgency.is_red for urgent, read in told if urgent is True]
        unseen = sum(not read.ticket for urgent, read in told if urgent is True)
        false = [read.urgency.is_red for urgent, read in told if urgent is False]
        stops = sum("STOP" in read.kinds for read in readings)
        heard = f"hears {sum(red)} of {len(red)} urgent, {unseen} unseen; " if red else ""
        print(
            f"{name}, {path.name}: {heard}{sum(false)} of {len(false)} others page somebody"
            f" ({sum(false) / max(1, len(false)):.2%}); {sum(read.ticket for read in readings)} of {len(rows)} reach"
            f" a person; {stops} opt out"
        )


def _milliseconds(understand: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    """CPU milliseconds of each text, the best of some rounds."""
    best = [float("inf")] * len(texts)
    for _ in range(ROUNDS):
        for at, text in enumerate(texts):
            began = time.process_time()
            understand(text)
            best[at] = min(best[at], (time.process_time() - began) * 1000)
    return sorted(best)


def _at(found: Sequence[float], share: float) -> float:
    return found[int(share * (len(found) - 1))]


def _alternation() -> re.Pattern[str]:
    table = tomllib.loads((SHIPPED / "triage.toml").read_text(encoding="utf-8"))
    phrases = {
        one
        for row in table.values()
        if isinstance(row, dict)
        for words in row.get("words", {}).values()
        for each in words
        for one in choices(each)
    }
    return re.compile("|".join(sorted(map(re.escape, phrases), key=len, reverse=True)), re.IGNORECASE)


def _start() -> tuple[float, float]:
    """CPU seconds and megabytes of a process of its own that has read its first text."""
    out = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True).stdout.split()
    return float(out[0]), float(out[1])


if __name__ == "__main__":
    main()
