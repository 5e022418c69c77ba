"""Words that pages show and no page spells out: enums, kinds, roles. Listed so that a translator finds them."""

from collections.abc import Iterator

from notifier import reports, tickets
from notifier.catalog import Catalog
from notifier.core import vocabulary
from notifier.core.gaps import RUNGS
from notifier.core.states import EventState, MessageState, PlanState, TicketState
from notifier.enrolment import CHECKLIST
from webhooks.console import patients, words

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


def phrases(catalog: Catalog) -> Iterator[str]:
    """Each as it is looked up in the translations."""
    for enum in ENUMS:
        yield from (words.readable(member) for member in enum)
    for code in catalog.rules.rows:
        yield words.kind_words(code)
    for step in (catalog.journeys.welcome, *catalog.journeys.steps):
        yield words.readable(step.key.replace(".", ": "))
    for table in (words.URGENCY, words.PROMISED, words.ROLES, words.LANGUAGES, words.MESSAGE_STATES):
        yield from (str(value) for value in table.values() if value)
    yield from (title for _, title in patients.EVENTS.values())
    yield from (title for _, title, _ in patients.TOLD.values())
    yield from (how for how in patients.HOW.values() if how)
    yield from patients.ASIDE.values()
    yield from (rule.sentence for rule in catalog.failures.codes.values())
    yield from RUNGS
    yield from tickets.OUTCOMES.values()
    yield from (words.readable(check) for check in CHECKLIST)
    yield from reports.phrases()
