"""What the service says by itself, its refusals and reasons, told in the reader's language and no other way changed."""

import re

from webhooks.console import words
from webhooks.console.tongue import _

# Sentences with a number or a name in them are known again by their shape; of two that fit, the first is meant.
SHAPES = (
    "Ticket %(number)s is resolved; open a new one.",
    "Ticket %(number)s is already resolved.",
    "Ticket %(number)s belongs to another site.",
    "Ticket %(number)s is about another patient.",
    "There is no ticket %(number)s.",
    "A red flag for the %(role)s cannot be left to %(other_role)s: give it to that team first.",
    "%(name)s no longer works here.",
    "%(name)s is not a %(role)s.",
    "%(name)s has no phone.",
    "Choose an outcome: %(choices)s.",
    "Choose one of %(choices)s.",
    "This plan is %(state)s: resume it first.",
    "This plan is %(state)s already.",
    "This plan is %(state)s, not paused.",
    "This plan is %(state)s.",
    "This %(kind)s is %(state)s and cannot be moved.",
    "This %(kind)s is %(state)s and cannot become %(other_state)s.",
    "%(count)s characters or more.",
    'Leave out "%(word)s": say "your medicine" or "your delivery".',
    'Leave out "%(word)s": say %(instead)s.',
    "Make it shorter: a text has room for %(room)s.",
    "merged into #%(number)s",
    "now for the %(role)s",
)
WHOLE = (  # sentences that reach a page beside others, not as a refusal of their own
    "Leave out names: a text may be read by others.",
    "Leave out shortened links: carriers block them.",
)
OF_OURS = {"role", "other_role", "kind", "state", "other_state"}  # places that hold a word of our vocabulary
_SENTENCES = re.compile(r"(?<=[.?!]) (?=[A-Z])")


def _pattern(shape: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(shape)))


_PATTERNS = {shape: _pattern(shape) for shape in SHAPES}


def fits(shape: str, said: str) -> bool:
    """Whether a sentence is one of this shape."""
    return _PATTERNS[shape].fullmatch(said) is not None


def told(said: str) -> str:
    """A sentence of the service, or several, in the reader's language; one that is not known stays as it is."""
    if not said:
        return ""
    whole = _one(said)
    return whole if whole != said else " ".join(_one(sentence) for sentence in _SENTENCES.split(said))


def _one(said: str) -> str:
    for shape, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(said):
            return _(shape, **{name: _said(name, part) for name, part in found.groupdict().items()})
    return _(said)


def _said(place: str, part: str) -> str:
    return words.plain(part).lower() if place in OF_OURS else part
