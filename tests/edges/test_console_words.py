"""The console speaks Spanish as completely as English, and its compiled words are those of its source."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages import frontend, mofile, pofile
from babel.messages.catalog import Catalog as Words
from sqlalchemy import select

from notifier import access, catalog, runtime
from notifier.core.vocabulary import Pages, Role
from notifier.models import Staff
from tests.clinic import Clinic
from tests.visitor import PASSWORD, Visitor
from webhooks import console
from webhooks.console import telling, untold, words

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
    spanish = source()
    wanted = {_one(message.id) for message in said_on_pages(tmp_path) if message.id}
    known = {_one(message.id): message.string for message in spanish if message.id}
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


# --- pages in Spanish ---------------------------------------------------------------------------------------------

SPOKEN = ("aria-label", "title", "placeholder", "data-says", "data-on", "data-off", "data-label", "data-again")
ALONE = {"br", "hr", "img", "input", "link", "meta", "use"}


class Read(HTMLParser):
    """What a page says of its own accord: its texts and labels, but nothing that stands in a language of its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: set[str] = set()
        self._silent: list[bool] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        silent = tag in ("script", "style") or (tag != "html" and "lang" in dict(attrs)) or any(self._silent)
        if not silent:
            self.said |= {value for name, value in attrs if name in SPOKEN and value}
        if tag not in ALONE:
            self._silent.append(silent)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ALONE:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._silent):
            self.said.add(" ".join(data.split()))


@pytest.fixture
def nurses(clinic: Clinic) -> dict[str, Visitor]:
    """A nurse in two browsers: one asks for English, one for Spanish."""
    with runtime.transaction() as session:
        access.create_user(session, "nia@example.com", Role.NURSE, PASSWORD, now=clinic.now)
    both = {code: Visitor(clinic).signs_in("nia@example.com") for code in ("en", "es")}
    both["es"].sends("/language", language="es", back="/")
    return both


def same_in_both(nurses: dict[str, Visitor], path: str) -> set[str]:
    """What a page says with the same words in both languages, but for times and templates: what nobody translated."""
    english, spanish = (Read(nurses[code].opens(path).get_data(as_text=True)).said for code in ("en", "es"))
    assert len(english) > 3
    same = {phrase for phrase in english & spanish if re.search(r"[A-Za-z]{2}", phrase)}
    return {phrase for phrase in same if not re.fullmatch(r"[\d:]+ [AP]M|#\d+ .+|[\w.]+ v[0-9a-f]{6}", phrase)} - BOTH


# The same word in both languages, or nobody's to translate: names, what the patient wrote, the pharmacy's own lists.
BOTH = {"notifier", "Auto", "Enter", "Plan", "Pharmko New York", "Nia Nurse", "NN", "Ivy Mockridge", "Dora Child"}
LISTS = catalog.load().checklists
BOTH |= {line for one in (*LISTS.kinds.values(), *LISTS.groups.values()) for line in one.lines}


def test_a_spanish_nurse_reads_no_english(clinic: Clinic, nurses: dict[str, Visitor]) -> None:
    ivy = clinic.active("Ivy")
    clinic.active("Ann", family_name="Quill").texts("please pick up the empty sharps box")
    ivy.texts("FEVER")
    path = f"/tickets/{ivy.ticket.number}"
    nia = nurses["es"]
    assert same_in_both(nurses, path) == set()
    nia.sends(f"{path}/acknowledge")
    nia.sends(f"{path}/contact", reached="no", text="sonó dos veces")
    nia.sends(f"{path}/reply", text="Please rest.", nonce="1")
    nia.sends(f"{path}/contact", reached="yes", text="descansa")
    clinic.world.settle()
    assert same_in_both(nurses, path) - {"sonó dos veces", "descansa"} == set()
    nia.sends(f"{path}/resolve", outcome="reached_advised", text="")
    for page in (path, "/", "/handover", "/roster", "/schedule", f"/patients/{ivy.row.id}", "/nowhere"):
        assert {said for said in same_in_both(nurses, page) if not is_theirs(said)} == set(), page


def is_theirs(said: str) -> bool:
    """Names of people, and texts as they leave or came."""
    staff = {"Bo Backup", "Dee Delivery", "Phil Pharmacist", "Cora Coordinator", "Sue Supervisor", "Ann Quill", "Ivy"}
    return said in staff or said.startswith(("Pharmko", "“", "Plan RX"))


def test_what_is_refused_is_refused_in_spanish(clinic: Clinic, nurses: dict[str, Visitor]) -> None:
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    path, nia = f"/tickets/{ivy.ticket.number}", nurses["es"]
    nia.opens(path)
    nia.sends(f"{path}/resolve", outcome="reached_advised")
    assert "anote primero el contacto" in nia.text
    nia.sends(f"{path}/reply", text="Ivy, take your Zofran: bit.ly/x", nonce="1")
    assert "Quite los nombres" in nia.text
    assert "Quite los enlaces acortados" in nia.text
    nia.sends(f"{path}/contact", reached="yes", text="")
    nia.sends(f"{path}/resolve", outcome="reached_advised")
    assert "quedó resuelto" in nia.text
    nia.sends(f"{path}/resolve", outcome="reached_advised")
    assert f"El caso {ivy.ticket.number} ya está resuelto." in nia.text


def test_every_refusal_with_a_name_in_it_has_a_shape() -> None:
    shaped = list(untold.refusals_with_places())
    assert len(shaped) > 10
    assert [said for said in shaped if not any(telling.fits(shape, said) for shape in telling.SHAPES)] == []


def test_a_page_that_has_not_left_is_not_told_as_made(clinic: Clinic, nurses: dict[str, Visitor]) -> None:
    with runtime.transaction() as session:
        session.scalars(select(Staff).where(Staff.key == "bo")).one().pages = Pages.VOICE
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    path, nia = f"/tickets/{ivy.ticket.number}", nurses["en"]
    nia.opens(path)
    nia.sends(f"{path}/pass")
    assert "Call to Bo Backup. Leaves now." in nia.text
    assert "Called Bo Backup" not in nia.text
    assert "Llamada a Bo Backup. Sale ahora." in nurses["es"].opens(path).get_data(as_text=True)
    clinic.world.settle()
    assert "Called Bo Backup." in nia.opens(path).get_data(as_text=True)


def test_a_step_is_called_by_what_it_is(clinic: Clinic) -> None:
    with clinic.world.app.test_request_context(headers={"Accept-Language": "en"}):
        assert words.step("delivery.day_before") == "Delivery: day before"
        assert words.step("check_in.silence1") == "Check in: no answer, reminder 1"
    with clinic.world.app.test_request_context(headers={"Accept-Language": "es"}):
        assert words.step("check_in.silence2").endswith(": sin respuesta, recordatorio 2")
        assert "in" not in words.step("check_in").split()
