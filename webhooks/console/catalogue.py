"""The catalogue of what we say: every message in each language, as it would read now, with its length."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue

from notifier import clock, queries, runtime
from notifier.catalog import Catalog
from notifier.core import wording
from notifier.core.vocabulary import Channel
from notifier.models import Site
from webhooks.console import bp
from webhooks.console.door import person


class Version(NamedTuple):
    """One message in one language: as it reads, and how long it is as a text."""

    language: str
    channel: Channel
    words: str
    segments: int
    alphabet: str
    code: str  # as a ticket names it beside what was sent


class Shown(NamedTuple):
    """One message: where in the journey it stands, and its versions."""

    key: str
    steps: tuple[str, ...]
    asks: str
    versions: list[Version]


@bp.get("/messages/catalogue")
def catalogue() -> ResponseReturnValue:
    """Every message; the samples stand for a delivery tomorrow afternoon."""
    viewer, now, catalog = person(), clock.now(), runtime.current().catalog
    language = request.args.get("language", "")
    with runtime.reading() as session:
        places = queries.sites(session, viewer.sites)
    site = next((each for each in places if each.key == request.args.get("site", viewer.home)), None)
    languages = [language] if language in catalog.languages else list(catalog.languages)
    return render_template(
        "console/catalogue.html",
        messages=list(_messages(catalog, site, languages, now)),
        answers=list(_answers(catalog, site, languages, now)),
        languages=catalog.languages,
        chosen=language,
        site=site,
        sites=places,
        now=now,
    )


class _Sample(dict[str, str]):
    """Values for every place in a text; what only a patient's own facts could fill stands as its name."""

    def __missing__(self, name: str) -> str:
        return f"({name.replace('_', ' ')})"


def _values(site: Site | None, language: str, now: datetime) -> _Sample:
    zone = ZoneInfo(site.timezone if site else "UTC")
    start = (now.astimezone(zone) + timedelta(days=1)).replace(hour=14, minute=0, second=0, microsecond=0)
    return _Sample(
        brand=site.brand if site else "Pharmko",
        phone=wording.written_phone(site.phone if site else "+18005550100"),
        **wording.moment_values(start, start + timedelta(hours=2), zone, language),
    )


def _messages(catalog: Catalog, site: Site | None, languages: list[str], now: datetime) -> Iterator[Shown]:
    steps = [catalog.journeys.welcome, *catalog.journeys.steps]
    for key, template in catalog.messages.items():
        versions = [
            _version(
                language,
                channel,
                wording.render(template, language, _values(site, language, now), channel),
                catalog.version(key, language, channel),
            )
            for channel, words in ((Channel.SMS, template.text), (Channel.VOICE, template.voice))
            for language in languages
            if language in words
        ]
        used = tuple(step.key for step in steps if step.template == key)
        yield Shown(key, used, template.asks.value if template.asks else "", versions)


def _answers(catalog: Catalog, site: Site | None, languages: list[str], now: datetime) -> Iterator[Shown]:
    """The safe answers that leave by themselves, by what was told."""
    for code, row in catalog.rules.rows.items():
        versions = [
            _version(
                language,
                Channel.SMS,
                wording.fill(row.reply[language], _values(site, language, now)),
                catalog.version(f"ack.{code}", language, Channel.SMS),
            )
            for language in languages
            if row.reply.get(language)
        ]
        if versions:
            yield Shown(code, (), "", versions)


def _version(language: str, channel: Channel, words: str, code: str | None) -> Version:
    count, alphabet = wording.segments(words)
    return Version(language, channel, words, count, alphabet, code or "")
