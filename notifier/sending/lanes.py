"""Lanes: the messages that share one of our senders, and so its rate. Who has something due."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, literal_column, not_, select
from sqlalchemy.orm import Session

from notifier.core.states import MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Message, SenderStop, Site

ACCOUNT = "account"
CALLS = "calls"
# Written out, because only then does the database see that the partial indexes on planned messages serve.
PLANNED: ColumnElement[bool] = Message.state == literal_column(f"'{MessageState.PLANNED}'")


@dataclass(frozen=True)
class Lane:
    """One sender: a number or a messaging service for texts; all calls of the account are one."""

    name: str  # "sms:+12125550199", "sms:MG…", "calls"
    channel: Channel
    sites: tuple[str, ...]
    rate: float  # segments (calls) a second
    on_trial: bool = False  # it could not send, and one message tries whether it can again


def sender_of(site: Site, channel: Channel) -> str:
    """The name of the lane of a site's texts or calls."""
    return CALLS if channel is Channel.VOICE else f"sms:{site.sms_from or site.messaging_service or site.key}"


def lanes(session: Session, *, now: datetime) -> list[Lane]:
    """Who has something due that is not urgent and may send it. A sender that stands still is tried now and then."""
    stopped = dict(session.execute(select(SenderStop.name, SenderStop.until)).all())
    busy = set(_busy(session, now))
    found = []
    for lane in all_lanes(session):
        if not any((site, lane.channel) in busy for site in lane.sites):
            continue
        held = [until for name in (ACCOUNT, lane.name) if (until := stopped.get(name))]
        if not held or max(held) <= now:
            found.append(replace(lane, on_trial=bool(held)))
    return found


def _busy(session: Session, now: datetime) -> Iterator[tuple[str, Channel]]:
    """The sites and channels with something due."""

    def has(channel: Channel) -> ColumnElement[bool]:
        of_site = (Message.site_key == Site.key, Message.channel == channel, not_(Message.urgent))
        return exists().where(PLANNED, *of_site, Message.due_at <= now)

    for key, texts, calls in session.execute(select(Site.key, has(Channel.SMS), has(Channel.VOICE))):
        if texts:
            yield key, Channel.SMS
        if calls:
            yield key, Channel.VOICE


def all_lanes(session: Session) -> list[Lane]:
    """Every sender. Sites that share one share the slowest of their rates."""
    sites = session.scalars(select(Site).order_by(Site.key)).all()
    found: dict[str, Lane] = {}
    for site in sites:
        for channel, rate in ((Channel.SMS, site.sender_rate), (Channel.VOICE, site.call_rate)):
            name = sender_of(site, channel)
            known = found.get(name)
            keys = (*known.sites, site.key) if known else (site.key,)
            found[name] = Lane(name, channel, keys, min(rate, known.rate) if known else rate)
    return list(found.values())


def in_lane(lane: Lane) -> ColumnElement[bool]:
    """The planned messages of a lane that are not urgent."""
    return and_(PLANNED, not_(Message.urgent), Message.channel == lane.channel, Message.site_key.in_(lane.sites))
