"""The rows, words and signs as data: complete, safe to send, and open to a pharmacy's own additions."""

import string
from pathlib import Path
from types import SimpleNamespace

import pytest

from notifier.catalog import SHIPPED, load
from notifier.catalog.rules import load_rules
from notifier.core.triage import Row, Rules, read
from notifier.core.vocabulary import Flag, Role, Urgency
from notifier.errors import Misconfigured

GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà{}"
)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load().rules


def test_every_row_is_there_with_who_and_when(rules: Rules) -> None:
    assert len(rules.rows) == 156
    assert rules.version
    assert rules.owner
    fever = rules.rows["FEVER"]
    assert (fever.urgency, fever.role, fever.minutes, fever.promise) == (Urgency.URGENT, Role.NURSE, 15, 15)
    assert rules.rows["PUMP_DEAD"].raised == {Flag.CRITICAL_CONTINUOUS: Urgency.EMERGENCY}
    assert rules.rows["LINE_AIR_SICK"].needs_signoff


def test_whatever_pages_somebody_says_whom_and_within_which_minutes(rules: Rules) -> None:
    red = [row for row in rules.rows.values() if row.urgency.is_red]
    assert all(row.role and row.minutes and row.opens_ticket for row in red)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_answers_name_their_variables_alike_in_both_languages(rules: Rules) -> None:
    for row in rules.rows.values():
        assert set(row.reply) in ({"en", "es"}, set()), row.code
        assert _fields(row.reply.get("en", "")) == _fields(row.reply.get("es", "")), row.code
        assert "Pharmko" not in str(row.reply)
        assert "555-0100" not in str(row.reply)


def test_answers_fit_two_segments_of_plain_letters(rules: Rules) -> None:
    values = {"brand": "Meridian Infusion", "phone": "800-555-0100", "minutes": 15, "today": "mañana antes de las 10"}
    page = SimpleNamespace(contact=" More: https://www.pharmko.com/contact")
    for row in rules.rows.values():
        for text in row.reply.values():
            sent = text.format(**values, link=page)
            assert len(sent) <= 306, row.code
            assert set(sent) <= GSM, (row.code, set(sent) - GSM)


def test_an_answer_to_a_red_flag_tells_of_911_and_the_nurse(rules: Rules) -> None:
    red: list[Row] = [row for row in rules.rows.values() if row.urgency.is_red]
    assert all("911" in text and "{phone}" in text for row in red for text in row.reply.values())


def test_most_rows_are_found_by_their_own_words(rules: Rules) -> None:
    """A row whose words never lead to it is dead; a word may still be claimed by a more urgent row."""
    import tomllib

    table = tomllib.loads((SHIPPED / "triage.toml").read_text(encoding="utf-8"))
    dead = []
    for code, row in table.items():
        if isinstance(row, dict):
            words = [word for kind in ("words", "whole") for each in row.get(kind, {}).values() for word in each]
            found = [word for word in words if code in read(word, rules).kinds]
            if words and len(found) < len(words) / 2:
                dead.append((code, sorted(set(words) - set(found))))
    assert dead == []


def test_a_pharmacy_adds_a_phrase_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "triage.toml").write_text('[FEVER.words]\nen = ["running hot like a stovetop"]\n', encoding="utf-8")
    (tmp_path / "lexicon.en.toml").write_text('[words]\npump = ["beep box"]\n', encoding="utf-8")
    own = load_rules([SHIPPED, tmp_path])
    assert read("running hot like a stovetop", own).kinds == ("FEVER",)
    assert read("the beep box keeps alarming", own).kinds == ("PUMP_ALARM",)
    assert read("fiebre", own).kinds == ("FEVER",)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The smallest catalog that loads: one row, no words."""
    folder = tmp_path / "small"
    folder.mkdir()
    language = "fillers = []\n[reactions]\nplain = ['liked']\ndoubtful = ['disliked']\n[words]\n[context]\n"
    row = '[FEVER]\nwhat = "Fever"\ngroup = "symptoms"\nurgency = "urgent"\nrole = "nurse"\n'
    files = {
        "triage.toml": f'version = "1"\nowner = "Nurse"\napproved = ""\n{row}words.en = ["fever"]\n',
        "lexicon.en.toml": language,
        "lexicon.es.toml": language,
        "signs.toml": "",
        "spelling.toml": "long = []\nreal = []\n[mend]\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("signs.toml", '[NOT_A_CODE]\nsigns = ["fever"]\n', "NOT_A_CODE"),
        ("signs.toml", '[FEVER]\nsigns = ["<unheard_of>"]\n', "unheard_of"),
        ("signs.toml", '[FEVER]\ninstead_of = ["NOT_A_CODE"]\n', "NOT_A_CODE"),
        ("triage.toml", '[FEVER]\nurgency = "soonish"\n', "FEVER"),
        ("triage.toml", "[FEVER\n", "triage.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(name: str, text: str, told: str, small: Path, tmp_path: Path) -> None:
    assert load_rules([small]).rows["FEVER"].role is Role.NURSE
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured, match=told):
        load_rules([small, tmp_path])
