"""The lines of a journal and the pages, in words; English in the tables here, translated where they are shown."""

from typing import NamedTuple

from notifier.core.vocabulary import Role
from notifier.models import AuditEvent
from webhooks.console import words
from webhooks.console.telling import told
from webhooks.console.tongue import _


class Verb(NamedTuple):
    """How a line of the journal is said; in English, by which its translation is found."""

    icon: str
    said: str
    said_of: str = ""  # with its detail inside; empty: a detail follows after a colon


LINES = {
    "ticket.opened": Verb("bell", "Opened"),
    "ticket.appended": Verb("messages", "Told more"),
    "ticket.acknowledged": Verb("check", "%(actor)s has it"),
    "ticket.open": Verb("bell", "Open again"),
    "ticket.passed": Verb("swap", "%(actor)s passed it on"),
    "ticket.assigned": Verb("swap", "%(actor)s gave it to somebody else", "%(actor)s gave it to %(detail)s"),
    "ticket.contacted": Verb("phone", "%(actor)s reached the patient"),
    "ticket.not_reached": Verb("phone", "%(actor)s called, no answer"),
    "ticket.promise_broken": Verb("urgent", "The promised call did not come"),
    "ticket.breached": Verb("urgent", "Half an hour without a call"),
    "ticket.next_contact": Verb("messages", "Asked to look after the patient"),
    "ticket.welfare": Verb("urgent", "The supervisor decides about a welfare check"),
    "ticket.linked": Verb("messages", "%(actor)s linked it to another ticket", "%(actor)s linked it to %(detail)s"),
    "ticket.merged": Verb("messages", "%(actor)s merged another ticket into it", "%(actor)s merged %(detail)s into it"),
    "ticket.rerouted": Verb(
        "swap", "%(actor)s gave it to another team", "%(actor)s gave it to another team: %(detail)s"
    ),
    "ticket.recorded": Verb("check", "%(actor)s wrote down"),
    "ticket.calling": Verb("phone", "%(actor)s calls through us"),
    "ticket.connected": Verb("phone", "%(actor)s took the call"),
    "ticket.voicemail": Verb("phone", "A voice message was left"),
    "ticket.voicemail_kept": Verb("phone", "The voice message was kept"),
    "ticket.voicemail_lost": Verb("phone", "A voice message could not be fetched: please call back"),
    "ticket.resolved": Verb("check", "%(actor)s resolved it"),
}
# What the service itself writes as a detail or a reason.
DETAILS = (
    "acknowledged",
    "consent to sms withdrawn",
    "consent to voice withdrawn",
    "it was answered",
    "its time passed",
    "news that the owner has not heard",
    "no call within 30 min",
    "nobody else may be told",
    "passed on",
    "the patient died",
)
# (has it left, by voice, is it a page): what stands for one of our messages to staff
PAGES = {
    (True, True, True): "Called %(name)s.",
    (True, False, True): "Paged %(name)s by text.",
    (True, True, False): "Told %(name)s by call.",
    (True, False, False): "Told %(name)s by text.",
    (False, True, True): "Call to %(name)s.",
    (False, False, True): "Text to %(name)s.",
    (False, True, False): "Call to %(name)s.",
    (False, False, False): "Text to %(name)s.",
}


def nobody(detail: str) -> str:
    """For `rung 2: nobody holds it`."""
    rung = detail.partition(":")[0].removeprefix("rung ")
    return _("Nobody to page: nobody holds rung %(number)s.", number=rung)


def line_of(line: AuditEvent, readable: bool) -> tuple[str, str]:
    """The icon and the words of a line; without its detail for those who may not read it."""
    verb = LINES.get(line.verb) or Verb("clock", words.readable(line.verb.partition(".")[2]))
    return verb.icon, _line(verb, line, readable)


def _line(verb: Verb, line: AuditEvent, readable: bool) -> str:
    detail = _detail(line) if readable else ""
    if detail and verb.said_of:
        return _(verb.said_of, actor=line.actor, detail=detail)
    said = _(verb.said, actor=line.actor)
    return f"{said}: {detail}" if detail else said


def _detail(line: AuditEvent) -> str:
    """What people wrote stays as it was written; what the service wrote is said in the reader's language."""
    written = line.detail or ""
    match line.verb:
        case "ticket.contacted" | "ticket.not_reached" | "ticket.recorded" | "ticket.assigned":
            return written
        case "ticket.opened" | "ticket.appended":
            return words.kinds(written.split(", ")) if written else ""
        case "ticket.rerouted":
            return words.role_word(Role(written)).lower() if written in list(Role) else written
        case "ticket.resolved":
            outcome, joint, more = written.partition(": ")
            return f"{told(outcome)}{joint}{more}"
    return told(written)
