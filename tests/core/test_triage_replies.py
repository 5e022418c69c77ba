"""How well the labelled replies are understood: a measure of coverage and a floor under it.

Our own people wrote them, not patients, so they promise nothing about the field.
"""

import json
from pathlib import Path

import pytest

from notifier.catalog import load
from notifier.core.triage import Reading, read
from notifier.core.vocabulary import Prompt, Urgency

LEVELS = {
    "EMERGENCY": Urgency.EMERGENCY,
    "URGENT": Urgency.URGENT,
    "SAME-DAY": Urgency.SAME_DAY,
    "ROUTINE": Urgency.ROUTINE,
    "NONE": Urgency.NONE,
}
Labelled = list[tuple[dict[str, str | list[str]], Urgency, Reading]]


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    rules = load().rules
    lines = (Path(__file__).parent / "replies.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        (
            row,
            LEVELS[row["urgency"]],
            read(row["text"], rules, prompt=Prompt.TEMPERATURE if "temperature" in row["note"] else None),
        )
        for row in rows
    ]


def test_no_emergency_is_missed(labelled: Labelled) -> None:
    missed = [row["text"] for row, urgency, reading in labelled if urgency is Urgency.EMERGENCY is not reading.urgency]
    assert missed == []


def test_no_red_flag_is_missed_and_none_ends_unseen(labelled: Labelled) -> None:
    red = [(row, reading) for row, urgency, reading in labelled if urgency.is_red]
    missed = [row["text"] for row, reading in red if not reading.urgency.is_red]
    assert len(missed) <= 0.03 * len(red), missed
    assert [row["text"] for row, reading in red if not reading.ticket] == []


def test_few_alarms_are_false(labelled: Labelled) -> None:
    alarms = [(row, urgency) for row, urgency, reading in labelled if reading.urgency.is_red]
    false = [row["text"] for row, urgency in alarms if not urgency.is_red]
    assert len(false) <= 0.05 * len(alarms), false


def test_the_urgency_is_right(labelled: Labelled) -> None:
    wrong = [(row["text"], reading.urgency) for row, urgency, reading in labelled if reading.urgency is not urgency]
    assert len(wrong) <= 0.05 * len(labelled), wrong


def test_the_kinds_are_right(labelled: Labelled) -> None:
    hits = sum(len(set(row["codes"]) & set(reading.kinds)) for row, _, reading in labelled)
    said = sum(len(reading.kinds) for _, _, reading in labelled)
    told = sum(len(row["codes"]) for row, _, _ in labelled)
    assert 2 * hits / (said + told) >= 0.95
