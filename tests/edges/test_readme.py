"""What the README says is true: its state tables, commands, settings, files and addresses exist as it tells them."""

import re
import tomllib
from enum import StrEnum
from pathlib import Path

import click
import pytest

from notifier import cli, patients_file, pharmacy_file
from notifier.config import Settings
from notifier.core.states import (
    MOVES,
    EventState,
    ImportState,
    InboundState,
    MessageState,
    PlanState,
    TicketState,
    WatchState,
)
from notifier.core.vocabulary import Urgency

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MACHINES: dict[str, type[StrEnum]] = {
    "Message": MessageState,
    "Ticket": TicketState,
    "Inbound": InboundState,
    "ImportRun": ImportState,
    "TherapyPlan": PlanState,
    "CareEvent": EventState,
    "Watch": WatchState,
}


def section(title: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    level, rest = re.search(rf"^(#+) {re.escape(title)}$(.*)", README, re.M | re.S).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of its first table, without the head."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[2:]]


def words(cell: str) -> set[str]:
    """A cell's comma-separated words; a dash is none."""
    return {word.strip() for word in cell.split(",")} - {"–", ""}


@pytest.mark.parametrize("name", MACHINES)
def test_the_state_tables_are_the_moves(name):
    told: dict[str, set[str]] = {}
    froms: set[str] = set()
    for first, nexts, *_ in rows(section(name)):
        froms = words(first) or froms
        for state in froms:
            assert not told.get(state, set()) & words(nexts), f"{state} tells a move twice"
            told.setdefault(state, set()).update(words(nexts))
    assert told == {state.value: {to.value for to in nexts} for state, nexts in MOVES[MACHINES[name]].items()}


def commands(group: click.Group, *path: str) -> dict[str, click.Command]:
    """Every command by its full name."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, *path, name)
        else:
            found[" ".join([*path, name])] = command
    return found


def test_the_commands_are_those_that_there_are():
    known = commands(cli.main)
    told = set()
    for first, meaning in rows(section("Commands")):
        line = first.strip("`").removeprefix("notifier ")
        name = max((each for each in known if f"{line} ".startswith(f"{each} ")), key=len, default=None)
        assert name, f"there is no command {line}"
        told.add(name)
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", f"{line} {meaning}")) <= options
    assert told == known.keys()


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`?(?:\.venv/bin/)?notifier ([a-z][^`\n#|]*)", README))))
def test_every_command_that_is_shown_exists(line):
    first, *rest = line.split()
    missing = "notifier numbers configure` is not there yet" in README and line.startswith("numbers configure")
    command = cli.main.commands.get(first)
    assert missing or command is not None, f"there is no command {first}"
    if isinstance(command, click.Group):
        assert rest
        assert rest[0] in command.commands


def test_the_settings_are_those_that_are_read():
    told = {name for first, *_ in rows(section("Settings")) for name in re.findall(r"`([A-Z_]+)`", first)}
    read = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', (ROOT / "notifier" / "config.py").read_text()))
    assert told == read
    fields = {name.removeprefix("NOTIFIER_").lower() for name in told} - {"clock"}
    assert fields == set(Settings.__dataclass_fields__)


def test_the_defaults_of_the_settings_are_true():
    given = {
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "token",
        "PUBLIC_BASE_URL": "https://notifier.example.com",
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }
    settings = Settings.from_env(given)
    told = {first.strip("`"): default.strip("`") for first, default, _ in rows(section("Settings"))}
    assert told["DATABASE_URL"] == settings.database_url
    assert told["REDIS_URL"] == settings.redis_url
    assert told["TWILIO_API_BASE_URL"] == settings.twilio_api_base_url
    assert told["LOG_FORMAT"] == settings.log_format
    assert told["SEND_LEASE_SECONDS"] == f"{settings.send_lease_seconds:g}"
    assert told["UNCERTAIN_LOOKS"] == ",".join(f"{look:g}" for look in settings.uncertain_looks)
    required = {name for first, default, _ in rows(section("Settings")) if default == "–" for name in words(first)}
    assert {f"`{name}`" for name in given} <= required


def test_the_columns_of_the_import_are_those_that_are_read():
    told = {name: meaning for first, meaning in rows(section("Files")) for name in re.findall(r"`([a-z_]+)`", first)}
    assert told.keys() == {*patients_file.REQUIRED, *patients_file.OPTIONAL}
    assert {name for name, meaning in told.items() if meaning == "required"} == set(patients_file.REQUIRED)


def test_every_file_and_picture_that_is_linked_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_make_target_that_is_shown_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_processes_are_those_of_the_procfile():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert {first: command.strip("`") for first, command, _ in rows(section("Running it"))} == lines


def test_the_demos_pharmacy_shows_every_key():
    pharmacy_text = (ROOT / "notifier" / "demo" / "pharmacy.toml").read_text(encoding="utf-8")
    pharmacy = tomllib.loads(pharmacy_text)
    sites = {key for site in pharmacy["site"].values() for key in site}
    assert sites | {"messaging_service"} == set(pharmacy_file._SITE)  # in the place of sms_from, so shown in a comment
    assert {key for person in pharmacy["staff"].values() for key in person} == set(pharmacy_file._STAFF)
    assert {key for shift in pharmacy["rota"] for key in shift} == set(pharmacy_file._SHIFT)
    assert {key for shift in pharmacy["override"] for key in shift} <= set(pharmacy_file._SHIFT)
    assert set(pharmacy["ladder"]) == {urgency.value for urgency in Urgency} - {"none"}
    assert pharmacy_file.read(pharmacy_text).faults == {}
