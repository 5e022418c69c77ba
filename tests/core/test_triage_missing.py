"""Which items are missing, against the list of what was sent."""

import pytest

from notifier.core.triage import missing_items

SENT = [
    ("Saline flush 10 mL", 28),
    ("Tubing set", 7),
    ("Alcohol caps", 28),
    ("Vancomycin 1 g bag", 7),
    ("Dressing kit", 1),
]
TOLD = [
    ("everything but 6 flushes and the tubing", [("Saline flush 10 mL", 6), ("Tubing set", 7)]),
    ("missing tubing", [("Tubing set", 7)]),
    ("faltan dos jeringas de suero", [("Saline flush 10 mL", 2)]),
    ("no vino el parche", [("Dressing kit", 1)]),
    ("short 3 caps and two bags", [("Alcohol caps", 3), ("Vancomycin 1 g bag", 2)]),
    ("only got 5 flushes", [("Saline flush 10 mL", 23)]),
    ("solo llegaron 4 bolsas", [("Vancomycin 1 g bag", 3)]),
    ("6 flushes tubing", [("Saline flush 10 mL", 6), ("Tubing set", 7)]),
    ("something is missing", []),
    ("MISSING", []),
]


@pytest.mark.parametrize(("text", "items"), TOLD)
def test_the_items_a_text_names_with_their_count(text: str, items: list[tuple[str, int | None]]) -> None:
    assert missing_items(text, SENT) == items


def test_an_item_sent_in_no_number_is_missing_in_no_number() -> None:
    assert missing_items("no gloves in the box", [("Gloves", 0)]) == [("Gloves", None)]
