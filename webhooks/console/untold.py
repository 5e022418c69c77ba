"""Words that pages show and no page spells out: enums, kinds, roles. Listed so that a translator finds them."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import notifier
from notifier import reports, roster, tickets
from notifier.catalog import Catalog
from notifier.core import vocabulary
from notifier.core.gaps import rung_name
from notifier.core.states import EventState, MessageState, PlanState, TicketState
from notifier.enrolment import CHECKLIST
from webhooks.app import ADVICE
from webhooks.console import journal_words, patients, telling, words

ENUMS = (
    vocabulary.Administration,
    vocabulary.EventKind,
    vocabulary.Flag,
    vocabulary.Line,
    vocabulary.Prompt,
    vocabulary.Role,
    vocabulary.Storage,
    vocabulary.Therapy,
    vocabulary.Topic,
    vocabulary.Urgency,
    EventState,
    MessageState,
    PlanState,
    TicketState,
)

TELLING = ("Doubt", "Invalid", "Missing", "Refused")
PARTS = ("voice.", "team.", "ack.", "link.", "M", "verbatim")  # of messages; or they have a step, which names them
NEVER_AT_THE_CONSOLE = {"sandbox", "canary", "idempotency"}


def phrases(catalog: Catalog) -> Iterator[str]:
    """Each as it is looked up in the translations."""
    for enum in ENUMS:
        yield from (words.readable(member) for member in enum)
    for code in catalog.rules.rows:
        yield words.kind_words(code)
    for step in (catalog.journeys.welcome, *catalog.journeys.steps):
        yield words.step_words(step.key)
    for table in (words.URGENCY, words.PROMISED, words.ROLES, words.LANGUAGES, words.MESSAGE_STATES):
        yield from (str(value) for value in table.values() if value)
    yield from (title for _, title in patients.EVENTS.values())
    yield from (title for _, title, _ in patients.TOLD.values())
    yield from (how for how in patients.HOW.values() if how)
    yield from patients.ASIDE.values()
    yield from (rule.sentence for rule in catalog.failures.codes.values())
    yield from (rung_name(rung) for rung in range(5))
    yield from tickets.OUTCOMES.values()
    yield from (words.readable(check) for check in CHECKLIST)
    for verb in journal_words.LINES.values():
        yield from (said for said in (verb.said, verb.said_of) if said)
    yield from journal_words.PAGES.values()
    yield from journal_words.DETAILS
    yield from (words.why_words(why) for why in journal_words.DETAILS)
    yield from telling.SHAPES
    yield from telling.WHOLE
    yield from (words.step_words(key) for key in catalog.messages if not key.startswith(PARTS))
    for title, advice in ADVICE.values():
        yield from (title, advice)
    yield from reports.phrases()
    yield from roster.notes((), has_last_resort=False)
    yield from refusals()


def refusals() -> Iterator[str]:
    """What the service refuses or doubts in whole sentences, read from its source: a page shows them as they are."""
    for said in _said(TELLING):
        if isinstance(said, ast.Constant) and isinstance(said.value, str):
            yield said.value


def refusals_with_places() -> Iterator[str]:
    """What it refuses in sentences that hold a number or a name, each place filled with an X."""
    for said in _said(("Refused",)):
        if isinstance(said, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in said.values)


def _said(names: Sequence[str]) -> Iterator[ast.expr | None]:
    """The arguments of every call by one of these names, and the values of a dictionary among them."""
    for file in sorted(Path(notifier.__file__).parent.rglob("*.py")):
        if NEVER_AT_THE_CONSOLE & {*file.parts, file.stem}:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                for part in node.args:
                    yield from part.values if isinstance(part, ast.Dict) else [part]
