"""The nurse's words checked: no phrase claimed twice, denied by itself, or never heard."""

from pathlib import Path

from notifier.catalog import SHIPPED
from notifier.catalog.check_rules import faults


def test_the_shipped_words_are_in_order() -> None:
    assert faults([SHIPPED]) == []


def test_a_pharmacys_own_words_are_checked_with_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "triage.toml").write_text(
        '[BILLING.words]\nen = ["temperature of a stove"]\n[FEVER.words]\nen = ["temperature of a stove"]\n',
        encoding="utf-8",
    )
    (tmp_path / "lexicon.en.toml").write_text('[words]\nmoonlight = ["moon"]\n', encoding="utf-8")
    found = faults([SHIPPED, tmp_path])
    assert any("temperature of a stove" in fault and "leave it to one" in fault for fault in found)
    assert any("lexicon.en.toml: moonlight" in fault for fault in found)


def test_a_phrase_that_its_own_no_takes_back_is_named(tmp_path: Path) -> None:
    (tmp_path / "triage.toml").write_text('[RASH_HIVES.words]\nen = ["without any hives"]\n', encoding="utf-8")
    assert [fault for fault in faults([SHIPPED, tmp_path]) if "deny it" in fault]
