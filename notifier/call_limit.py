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


class Lines:
    """The lines that one batch may take; one in five is kept for the urgent. `at_once` 0: as many as there are."""

    def __init__(self, session: Session, at_once: int, real_now: datetime) -> None:
        self.session, self.at_once, self.real_now = session, at_once, real_now
        self.taken: int | None = None  # counted when the first is asked for

    def take(self, *, urgent: bool) -> bool:
        """One more call. False: no line is free."""
        if self.at_once <= 0:
            return True
        if self.taken is None:
            if self.session.get_bind().dialect.name == "postgresql":
                self.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            self.taken = under_way(self.session, self.real_now)
        kept = 0 if urgent or self.at_once == 1 else max(1, self.at_once // 5)
        if self.taken >= self.at_once - kept:
            return False
        self.taken += 1
        return True
