"""`make bench`: every measurement, or those named: `ARGS="engine"`; `ARGS="rows 10000000"` with a number of its own."""

import sys

from tests.bench import engine, planning, replies, tickets, triage

TOPICS = {
    "engine": engine.run,
    "rows": engine.many_rows,
    "planning": planning.run,
    "replies": replies.run,
    "triage": triage.main,
    "tickets": tickets.main,
}


def main(words: list[str]) -> None:
    """Run the topics that are named, else all; a number goes to the topic before it."""
    named = [word for word in words if not word.isdigit()] or list(TOPICS)
    numbers = {words[place - 1]: int(word) for place, word in enumerate(words) if word.isdigit() and place}
    for topic in named:
        TOPICS[topic](*([numbers[topic]] if topic in numbers else []))


if __name__ == "__main__":
    if sys.argv[1:] == ["console"]:
        from tests.bench import console

        console.main()
    else:
        main(sys.argv[1:])
