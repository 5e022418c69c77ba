"""What understanding one reply costs."""

import statistics
import time

from notifier.catalog import load
from notifier.core import triage

REPLIES = ["FEVER", "no fever but my arm is swollen", "me falta una jeringa", "thanks so much!", "pump is beeping 102"]


def run() -> None:
    """The median of many, in milliseconds of CPU."""
    rules = load().rules
    spent = []
    for _ in range(200):
        for words in REPLIES:
            began = time.process_time()
            triage.read(words, rules)
            spent.append(time.process_time() - began)
    print(f"Understanding one reply: {statistics.median(spent) * 1000:.2f} ms CPU")
