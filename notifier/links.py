"""Which pages of ours were there when they were last looked for: a text names no other."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.models import PageCheck

DAILY = timedelta(days=1)
AGAIN = timedelta(hours=1)  # one that was not there is looked for sooner


def alive(session: Session) -> frozenset[str]:
    """The addresses at which a page was found last time; one that was never looked for is not among them."""
    return frozenset(session.scalars(select(PageCheck.url).where(PageCheck.alive)))


def due(session: Session, urls: Collection[str], real_now: datetime) -> list[str]:
    """Those of `urls` whose time has come: a day after they were found, an hour after they were not."""
    known = {row.url: row for row in session.scalars(select(PageCheck).where(PageCheck.url.in_(urls)))}
    return [
        url
        for url in urls
        if url not in known or real_now - known[url].checked_at >= (DAILY if known[url].alive else AGAIN)
    ]


def record(session: Session, url: str, why_not: str | None, *, real_now: datetime) -> None:
    """What was seen at an address. `why_not`: why no text may name it; None: the page is there."""
    row = session.get(PageCheck, url) or PageCheck(url=url)
    row.alive, row.why, row.checked_at = why_not is None, why_not, real_now
    session.add(row)


def lost(session: Session, urls: Collection[str]) -> Sequence[PageCheck]:
    """The pages that texts leave out because they were not there."""
    return session.scalars(
        select(PageCheck).where(PageCheck.url.in_(urls), ~PageCheck.alive).order_by(PageCheck.url)
    ).all()
