"""How many calls may be under way at once: what is urgent takes the last lines, reminders leave some free."""

from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Attempt, Message

LOCK = 7_410_222  # any number: those who count the lines do so one after another
LONGEST = timedelta(minutes=15)  # real; a call whose end nobody tells keeps no line for ever
HELD = timedelta(seconds=15)  # until a reminder that found no line looks again
ANY = 1_000_000  # more than anybody makes
IN_FLIGHT = (MessageState.SENDING, MessageState.UNCERTAIN, MessageState.SENT)


def under_way(session: Session, real_now: datetime) -> int:
    """The calls of ours that ring, are talked, or may be."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Message)
            .join(Attempt, Attempt.id == Message.attempt_id)
            .where(
                Message.channel == Channel.VOICE,
                Message.state.in_(IN_FLIGHT),
                Attempt.began > real_now - LONGEST,
                Attempt.ended_at.is_(None),
            )
        )
        or 0
    )


def free(session: Session, at_once: int, *, urgent: bool, real_now: datetime) -> int:
    """How many more calls may be made now. `at_once` 0: any number; one line in five is kept for the urgent."""
    if at_once <= 0:
        return ANY
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    kept = 0 if urgent or at_once == 1 else max(1, at_once // 5)
    return max(0, at_once - kept - under_way(session, real_now))


class Lines:
    """The lines that one batch may take, counted when the first is asked for."""

    def __init__(self, session: Session, at_once: int, real_now: datetime) -> None:
        self.session, self.at_once, self.real_now = session, at_once, real_now
        self._free: dict[bool, int] = {}
        self._taken = 0

    def take(self, *, urgent: bool) -> bool:
        """One more call. False: no line is free."""
        if urgent not in self._free:
            self._free[urgent] = free(self.session, self.at_once, urgent=urgent, real_now=self.real_now)
        if self._taken >= self._free[urgent]:
            return False
        self._taken += 1
        return True
