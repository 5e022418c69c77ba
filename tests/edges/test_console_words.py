"""The console speaks Spanish as completely as English, and its compiled words are those of its source."""

import io
import re
from pathlib import Path

from babel.messages import frontend, mofile, pofile
from babel.messages.catalog import Catalog as Words

from notifier import catalog
from webhooks import console
from webhooks.console import untold

FOLDER = console.TRANSLATIONS / "es" / "LC_MESSAGES"
ROOT = Path(__file__).parents[2]


def source() -> Words:
    with (FOLDER / "messages.po").open("rb") as file:
        return pofile.read_po(file, "es")


def said_on_pages(tmp_path: Path) -> Words:
    """Every phrase that templates and views spell out."""
    extract = frontend.ExtractMessages()
    extract.mapping_file = str(ROOT / "webhooks" / "console" / "translations.cfg")
    extract.output_file = str(tmp_path / "messages.pot")
    extract.input_paths = str(ROOT / "webhooks")
    extract.no_location = True
    extract.finalize_options()
    extract.run()
    with (tmp_path / "messages.pot").open("rb") as file:
        return pofile.read_po(file)


def test_no_phrase_lacks_its_spanish(tmp_path: Path) -> None:
    words = source()
    wanted = {_one(message.id) for message in said_on_pages(tmp_path) if message.id}
    known = {_one(message.id): message.string for message in words if message.id}
    assert len(wanted) > 500
    assert sorted(phrase for phrase in wanted if not known.get(phrase)) == []
    assert [phrase for phrase, said in known.items() if isinstance(said, tuple) and not all(said)] == []


def _one(phrase: str | tuple[str, ...]) -> str:
    """A phrase with two forms by its first."""
    return phrase if isinstance(phrase, str) else phrase[0]


def test_the_words_of_the_catalog_are_known_too() -> None:
    known = {_one(message.id) for message in source() if message.id}
    phrases = set(untold.phrases(catalog.load()))
    lacking = sorted(phrase for phrase in phrases if phrase not in known)
    assert len(lacking) < len(phrases) / 10, f"a pharmacy may say more than we do, but not all of this: {lacking}"


def test_every_place_in_a_phrase_is_in_its_spanish() -> None:
    wrong = [
        message.id
        for message in source()
        if isinstance(message.id, str)
        and message.id
        and set(re.findall(r"%\(\w+\)s", message.id)) != set(re.findall(r"%\(\w+\)s", str(message.string)))
    ]
    assert wrong == []


def test_what_is_compiled_is_what_stands_in_the_source() -> None:
    out = io.BytesIO()
    mofile.write_mo(out, source())
    assert out.getvalue() == (FOLDER / "messages.mo").read_bytes(), "please run: make words"
