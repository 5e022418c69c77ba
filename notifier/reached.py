"""Whether a call reached whom it was for, and when it is made again if it did not."""

from datetime import datetime, timedelta

from notifier.core.phone import Again, Manner, Unreached
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Message

TAKEN = "completed"
RANG_ONLY = {Unreached.BUSY, Unreached.NO_ANSWER, Unreached.FAILED, Unreached.CANCELED}
URGENT = timedelta(minutes=2)  # the longest that an urgent call to a phone that did not answer waits


def is_machine(answered_by: str | None) -> bool:
    """Whether Twilio heard a machine."""
    return bool(answered_by) and str(answered_by).startswith(("machine", "fax"))


def what_became(message: Message, attempt: Attempt, status: str) -> Unreached | None:
    """What became of a call that Twilio says is over, if it reached nobody; None: it did, or it is no call.

    Only a key tells that a patient was reached: whoever takes a call may be somebody else, or a machine.
    """
    if message.channel is not Channel.VOICE:
        return None
    if status != TAKEN:
        return Unreached(status) if status in list(Unreached) else None
    if attempt.reached_at is not None:
        return None
    if attempt.unreached is Unreached.SOMEBODY_ELSE:
        return attempt.unreached
    if is_machine(attempt.answered_by):
        return Unreached.MACHINE
    return Unreached.NOBODY if message.contact_id is not None else None


def again_at(what: Unreached, tried: int, manner: Manner, *, urgent: bool, now: datetime) -> datetime | None:
    """When it is called again; None: it was tried often enough. `tried`: the calls so far."""
    rule: Again = manner.unreached[what]
    if tried >= rule.calls:
        return None
    return now + (min(rule.after, URGENT) if urgent and what in RANG_ONLY else rule.after)
