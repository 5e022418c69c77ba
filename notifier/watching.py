"""What is looked at each minute beside the ledger's own due things: shifts, rotas, the service itself."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import auditor, canary, handover, queries, reconcile, roster
from notifier.auditor import Breach
from notifier.config import Settings
from notifier.core.vocabulary import Channel
from notifier.db import add_once
from notifier.errors import Refused
from notifier.models import Mark, Site

LOOKED = "shifts.looked"  # up to when it is known who came on call
LONGEST = timedelta(hours=12)  # after a longer absence nobody wants to hear of shifts that began before
SOME = 2  # messages that Twilio did not take, twice each: not one number's own bad luck
LONGEST_BACK_OFF = timedelta(minutes=20)  # real
LINT_AT = 9  # o'clock at the site


def shifts(session: Session, *, now: datetime) -> None:
    """Hand over to whoever has come since the last look; tell of those who have not confirmed."""
    mark, new = add_once(session, Mark(name=LOOKED, at=now), Mark.name)
    since, mark.at = max(mark.at, now - LONGEST), max(now, mark.at)
    if not new and since < now:
        handover.begin(session, since, now)
    handover.unconfirmed(session, now)


def to_lint(session: Session, now: datetime) -> list[str]:
    """The sites whose rota is to be looked through now: once a day, from nine in the morning on."""
    done = {mark.name: mark.at for mark in session.scalars(select(Mark).where(Mark.name.startswith("lint:")))}
    return [site.key for site in queries.sites(session) if _is_due(site, done.get(_mark_of(site.key)), now)]


def _is_due(site: Site, done: datetime | None, now: datetime) -> bool:
    local = now.astimezone(ZoneInfo(site.timezone))
    today = local.replace(hour=LINT_AT, minute=0, second=0, microsecond=0)
    return local >= today and (done is None or done < today)


def _mark_of(site_key: str) -> str:
    return f"lint:{site_key}"[:60]


def lint(session: Session, site_key: str, *, now: datetime) -> None:
    """Look through one site's rota and tell its supervisor."""
    mark, _ = add_once(session, Mark(name=_mark_of(site_key), at=now), Mark.name)
    mark.at = now
    roster.tell_of_gaps(session, queries.sites(session, [site_key])[0], now)


def breaches(session: Session, settings: Settings, *, now: datetime, pace: float) -> list[Breach]:
    """Every rule that the service breaks now, its test of itself among them."""
    found = auditor.breaches(session, now, pace=pace)
    found += _in_vain(session, now + LONGEST_BACK_OFF * pace)
    if settings.canary_sings:
        wrong = canary.missed(session, now, pace=pace) or _silent(session, settings)
        found += [Breach("canary", wrong, 0)] if wrong else []
    return found


def _in_vain(session: Session, until: datetime) -> list[Breach]:
    """Texts, or calls, that Twilio takes none of."""
    tried = reconcile.in_vain(session, until=until)
    names = {Channel.SMS: auditor.TEXTS_IN_VAIN, Channel.VOICE: auditor.CALLS_IN_VAIN}
    said = "of them were offered to Twilio again and again, and it took none"
    return [Breach(names[channel], said, many) for channel, many in tried.items() if many >= SOME]


def _silent(session: Session, settings: Settings) -> str:
    """Why the canary cannot sing at all, once there is a pharmacy to sing in."""
    if not queries.sites(session):
        return ""
    try:
        canary.may_sing(session, settings.canary_number)
    except Refused as refusal:
        return str(refusal)
    return ""
