"""Commands given what they cannot use: one sentence that says what to do, the right exit code, no traceback."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from notifier.cli import main
from notifier.config import Settings
from notifier.errors import Misconfigured

REFUSED, MISUSED = 1, 2


def run(*words: str, **env: str) -> Result:
    return CliRunner().invoke(main, words, env=env)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("web", "--bind", "nonsense"), "must look like 127.0.0.1:8000"),
        (("web", "--bind", "127.0.0.1:99999"), "must look like 127.0.0.1:8000"),
        (("worker", "--processes", "0"), "0 is not in the range"),
        (("sandbox", "--port", "0"), "0 is not in the range"),
        (("reconcile", "--since", "yesterday"), "must look like 30m, 2h or 3d"),
        (("triage",), "give a TEXT"),
        (("apply", "no-such-file.toml"), "does not exist"),
        (("user", "add", "nora@example.com", "--role", "king"), "is not one of"),
    ],
)
def test_wrong_use_is_told_before_anything_is_started(words, told):
    result = run(*words)
    assert result.exit_code == MISUSED
    assert told in result.stderr


@pytest.mark.parametrize("words", [("catalog", "check"), ("triage", "FEVER")])
def test_a_catalog_that_is_not_there_is_not_passed_over(words):
    result = run(*words, NOTIFIER_CATALOG="/no/such/folder")
    assert result.exit_code == REFUSED
    assert "NOTIFIER_CATALOG is not a folder: /no/such/folder" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("messages.en.toml", b"M02 = 1", "M02 must be a table with text or voice"),
        ("messages.es.toml", b"[M02]\ntext = 5", "messages.es.toml: M02 must be a table"),
        ("messages.en.toml", b"\xff\xfe", "is not TOML"),
        ("lexicon.en.toml", b"\xff\xfe", "is not TOML"),
        ("ladders.toml", b"[ladder]\nurgent = 5", "ladder.urgent: rung 1: needs who"),
    ],
)
def test_a_catalog_of_ones_own_that_is_wrong_is_named(tmp_path: Path, name, content, told):
    (tmp_path / name).write_bytes(content)
    result = run("catalog", "check", NOTIFIER_CATALOG=str(tmp_path))
    assert result.exit_code == REFUSED
    assert told in result.stderr


def test_a_phrase_that_two_rows_claim_is_named_before_a_nurse_signs_it(tmp_path: Path):
    own = '[BILLING.words]\nen = ["moonlight sonata"]\n[FEVER.words]\nen = ["moonlight sonata"]\n'
    (tmp_path / "triage.toml").write_text(own, encoding="utf-8")
    result = run("catalog", "check", NOTIFIER_CATALOG=str(tmp_path))
    assert result.exit_code == 1
    assert "'moonlight sonata' is FEVER's too: leave it to one of them" in result.stdout


@pytest.mark.parametrize("url", ["postgres://u@host/x", "mysql://u@host/x", "postgresql://u@host/x", "nonsense"])
def test_a_database_that_we_do_not_speak_to_is_told_at_the_start(url):
    with pytest.raises(Misconfigured, match=r"DATABASE_URL must look like postgresql\+psycopg://"):
        Settings.from_env({"DATABASE_URL": url})


def test_a_pharmacy_file_in_another_alphabet_is_refused(tmp_path: Path):
    (tmp_path / "pharmacy.toml").write_bytes('[site.x]\nname = "José"\n'.encode("latin-1"))
    result = run("apply", str(tmp_path / "pharmacy.toml"))
    assert result.exit_code == REFUSED
    assert "pharmacy.toml is not UTF-8: save it as UTF-8" in result.stderr


def test_reconcile_never_says_that_books_agree_which_it_could_not_compare(clinic):
    assert run("reconcile").stdout == "Our books agree with Twilio's.\n"
    clinic.world.sandbox.stop()
    result = run("reconcile")
    assert result.exit_code == REFUSED
    assert "so nothing was compared" in result.stderr
