"""Senders of ours that cannot send: held until somebody mends them, tried now and then, and operations told once."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from notifier import tickets
from notifier.catalog import Catalog
from notifier.core.failures import Failure, Rule
from notifier.core.vocabulary import Role, Source, Urgency
from notifier.db import add_once
from notifier.models import Message, SenderStop
from notifier.sending.lanes import ACCOUNT, sender_of

FIRST = timedelta(seconds=30)  # real time until one message may try again; twice as long each time
MOST = 32  # times as long at the most
LATER_CODES = 30_000  # from here on codes come by receipt: that Twilio took a text proves nothing yet


def report(
    session: Session,
    message: Message,
    rule: Rule,
    code: int,
    *,
    catalog: Catalog,
    now: datetime,
    wait: timedelta,
) -> None:
    """A fault of ours kept this from arriving: its sender (or all of them) stands still, and operations know once.

    `wait`: until one message may try again.
    """
    sender = sender_of(message.site, message.channel)
    if not rule.failure.stops_sender:
        _tell(session, message, f"words:{code}", f"A message was refused: {rule.means}", code, catalog, now)
        return
    name = ACCOUNT if rule.failure is Failure.SHUT_OUT else sender
    stop = SenderStop(name=name, code=code, since=now, until=now + wait, tries=1)
    stop, is_new = add_once(session, stop, SenderStop.name)
    if is_new:
        what = "Nothing can be sent" if name == ACCOUNT else f"Nothing can be sent from {name.removeprefix('sms:')}"
        _tell(session, message, f"sender:{name}", f"{what}: {rule.means}", code, catalog, now)
    elif stop.until <= now:
        stop.tries += 1
        stop.code, stop.until = code, now + min(2 ** (stop.tries - 1), MOST) * wait


def _tell(
    session: Session, message: Message, subject: str, what: str, code: int, catalog: Catalog, now: datetime
) -> None:
    if tickets.unresolved(session, subject, Role.COORDINATOR) is not None:
        return
    need = tickets.Need(
        site_key=message.site_key,
        subject=subject,
        role=Role.COORDINATOR,
        urgency=Urgency.URGENT if subject.startswith("sender:") else Urgency.SAME_DAY,
        kinds=("SET_UP",),
        source=Source.SYSTEM,
        text=f"{what} (Twilio {code}). See twilio.com/docs/api/errors/{code} and run `notifier doctor`.",
    )
    tickets.open_or_append(session, need, catalog=catalog, now=now)


def standing(session: Session) -> dict[str, int]:
    """The senders that stand still, and why: Twilio's code."""
    return dict(session.execute(select(SenderStop.name, SenderStop.code)).all())


def lift(session: Session, names: Iterable[str], *, arrived: bool) -> list[str]:
    """Twilio took something from these senders (`arrived`: and it reached its phone): they work again."""
    wanted = {name for each in names for name in (each, ACCOUNT)}
    if not wanted:
        return []
    mended = delete(SenderStop).where(SenderStop.name.in_(wanted))
    if not arrived:
        mended = mended.where(SenderStop.code < LATER_CODES)
    return list(session.scalars(mended.returning(SenderStop.name).execution_options(synchronize_session=False)))
