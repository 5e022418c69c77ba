"""`notifier doctor`: is everything there that the service needs, and how to mend what is not. It changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import redis
from sqlalchemy import Connection, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from notifier import clock, links, migrations, queries, roster, runtime
from notifier.config import TWILIO, Settings
from notifier.core.vocabulary import TEAMS
from notifier.errors import NotifierError
from notifier.models import Secret, Site, Staff
from notifier.provider import Unreachable

SECONDS = 3  # how long to wait for anything
SKEW = timedelta(seconds=10)
OLDEST_REDIS = (6, 2)  # with older ones a job that a worker was just taking can be lost


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, what was seen, and, if that is not well, how to mend it."""

    name: str
    ok: bool
    said: str
    mend: str = ""


def check(settings: Settings) -> list[Finding]:
    """Look at everything. Nothing that it says holds a patient's data or a secret. Raises Misconfigured."""
    runtime.configure(settings)
    found = [_address(settings), *_database(settings), _redis(settings.redis_url), _account(settings)]
    if all(finding.ok for finding in found if finding.name in ("database", "schema", "keys")):
        found += _pharmacy(settings, has_twilio=found[-1].ok)
    return [*found, *_clocks(settings)]


def _address(settings: Settings) -> Finding:
    safe = settings.public_base_url.startswith("https://") or settings.twilio_api_base_url != TWILIO
    return Finding(
        "settings",
        safe,
        f"Twilio is told to reach us at {settings.public_base_url}",
        "set PUBLIC_BASE_URL to an https:// address: over http anybody on the way can read what patients text",
    )


# --- database, Redis ----------------------------------------------------------------------------------------------


def _database(settings: Settings) -> Iterator[Finding]:
    url = make_url(settings.database_url)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        yield Finding("database", False, f"{shown} does not exist yet", "run `notifier migrate`")
        return
    try:
        with runtime.reading() as session:
            yield Finding("database", True, f"{shown} answers")
            yield _schema(session.connection())
            yield _keys(session)
    except SQLAlchemyError as error:
        yield Finding(
            "database",
            False,
            f"{shown} does not answer ({type(error).__name__})",
            "check DATABASE_URL, that the server runs, and that its firewall lets this host in",
        )


def _schema(connection: Connection) -> Finding:
    stands, head = migrations.current(connection) or "nothing", migrations.head()
    return Finding("schema", stands == head, f"stands at {stands}, head is {head}", "run `notifier migrate`")


def _keys(session: Session) -> Finding:
    mend = "put the key that sealed it last in ENCRYPTION_KEYS"
    try:
        found = session.scalars(select(Secret)).first()
    except NotifierError:
        return Finding("keys", False, "the database was sealed under another key", mend)
    except SQLAlchemyError:
        found = None
    if found is None:
        return Finding("keys", False, "there is no key for look-ups yet", "run `notifier migrate`")
    return Finding("keys", True, "what is sealed can be opened")


def _redis(url: str) -> Finding:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS) as line:
            version = str(line.info("server")["redis_version"])
    except (redis.RedisError, ValueError) as error:
        return Finding(
            "Redis",
            False,
            f"{where} does not answer ({type(error).__name__})",
            "check REDIS_URL and that the server runs; until then urgent work goes on and reminders wait",
        )
    new_enough = tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_REDIS
    return Finding("Redis", new_enough, f"{where} answers, version {version}", "use Redis 6.2 or newer, or Valkey")


# --- Twilio and the pharmacy --------------------------------------------------------------------------------------


def _account(settings: Settings) -> Finding:
    try:
        status = runtime.current().twilio.account_status()
    except Unreachable as error:
        return Finding(
            "Twilio",
            False,
            f"{settings.twilio_api_base_url} refuses or does not answer ({error})",
            "check TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN or the API key pair, and that this host may go out",
        )
    mend = "open the account in Twilio's console: it is suspended or closed"
    return Finding("Twilio", status == "active", f"the account is {status}", mend)


def _lookup(sites: Sequence[Site], settings: Settings) -> Iterator[Finding]:
    """Whether we may ask what kind of line a number is; asked about our own, by the question that is free."""
    if not settings.looks_up_phones:
        said = "PHONE_LOOKUP is off: a landline is found when a text to it has failed"
        yield Finding("phone look-up", True, said)
    elif sites:
        try:
            answers = runtime.current().twilio.lookup_answers(sites[0].phone)
            said = "answers; each new number costs one question" if answers else "refuses us"
        except Unreachable as error:
            answers, said = False, f"does not answer ({error})"
        mend = "let this host reach lookups.twilio.com, and the key ask Lookup; or set PHONE_LOOKUP=off"
        yield Finding("phone look-up", answers, said, f"{mend}. Until then each first text waits a minute")


def _pharmacy(settings: Settings, *, has_twilio: bool) -> Iterator[Finding]:
    with runtime.reading() as session:
        sites = queries.sites(session)
        yield Finding("sites", bool(sites), f"{len(sites)} sites", "run `notifier apply pharmacy.toml`")
        yield from _numbers(sites, settings)
        if has_twilio:
            yield from _lookup(sites, settings)
        for site in sites:
            yield _on_call(session, site, clock.now())
            yield _ahead(session, site, clock.now())
        yield from _pages(session)


def _numbers(sites: Sequence[Site], settings: Settings) -> Iterator[Finding]:
    """Whether Twilio posts each number's texts and calls to us."""
    texts = {site.sms_from for site in sites if site.sms_from and not site.messaging_service}
    calls = {site.voice_from for site in sites if site.voice_from}
    try:
        known = {number: (sms_url, voice_url) for number, sms_url, voice_url in runtime.current().twilio.numbers()}
    except Unreachable:
        return  # said already
    for number in sorted(texts | calls):
        urls = known.get(number)
        if urls is None and settings.twilio_api_base_url == TWILIO:
            yield Finding(
                number, False, "is not a number of this Twilio account", "buy or port it, or mend pharmacy.toml"
            )
            continue
        wrong = [
            f"{what} go to {_plain(url) or 'nowhere'}"
            for what, ours, url, path in (
                ("texts", texts, (urls or ("", ""))[0], "/twilio/sms"),
                ("calls", calls, (urls or ("", ""))[1], "/twilio/voice"),
            )
            if number in ours and not _is_ours(url, path, settings)
        ]
        yield Finding(
            number,
            not wrong,
            " and ".join(wrong) or f"its texts and calls come to {settings.public_base_url}",
            f"in Twilio's console set {settings.public_base_url}/twilio/sms and /twilio/voice (POST) for this number",
        )
    for site in sites:
        if site.messaging_service:
            inbound = f"{settings.public_base_url}/twilio/sms"
            yield Finding(
                f"texts of {site.key}", True, f"by {site.messaging_service}: check that it posts to {inbound}"
            )


def _pages(session: Session) -> Iterator[Finding]:
    """The pages of our own that texts leave out, because they were not there when they were last looked for."""
    for page in links.lost(session, runtime.current().catalog.links.urls()):
        yield Finding(
            "page",
            False,
            f"{page.url}: {page.why}",
            "mend the page, or its address in links.toml; until then texts give the 24/7 number instead",
        )


def _is_ours(url: str, path: str, settings: Settings) -> bool:
    """The sandbox posts to PUBLIC_BASE_URL whatever has no address of its own; Twilio does not."""
    return _plain(url) == settings.public_base_url + path or (not url and settings.twilio_api_base_url != TWILIO)


def _plain(url: str) -> str:
    """Without the part that tells Twilio how to retry."""
    return url.partition("#")[0]


def _on_call(session: Session, site: Site, now: datetime) -> Finding:
    missing = [role.value for role in TEAMS if not _can_be_paged(session, roster.on_call(session, role, site, now))]
    return Finding(
        f"on call, {site.key}",
        not missing,
        f"nobody now for {', '.join(missing)}" if missing else "somebody for every role now",
        "give each role a [[rota]] in pharmacy.toml that is never empty, and run `notifier apply`",
    )


def _ahead(session: Session, site: Site, now: datetime) -> Finding:
    """The next 30 days: rungs that would wake nobody. Phones that have never answered are named, and no fault yet."""
    found = roster.lint(session, site, now)
    zone = ZoneInfo(site.timezone)
    holes = [f"{gap.role} {gap.name} from {gap.start.astimezone(zone):%b %d %H:%M}" for gap in found.gaps]
    told = f"gaps: {'; '.join(holes[:3])}" + (f" and {len(holes) - 3} more" if len(holes) > 3 else "")
    unsure = (
        f"{len(found.doubts)} phones on the rota have not answered yet" if found.doubts else "every phone has answered"
    )
    return Finding(
        f"rota of 30 days, {site.key}",
        not holes,
        told if holes else f"every rung is held; {unsure}",
        "see `notifier roster`, or Roster in the console, and fill them in pharmacy.toml or by a cover",
    )


def _can_be_paged(session: Session, team: Mapping[int, Sequence[UUID]]) -> bool:
    people = [person for rung in team.values() for person in rung]
    found = select(Staff.id).where(Staff.id.in_(people), Staff.active, Staff.phone_hash.is_not(None))
    return session.scalars(found.limit(1)).first() is not None


# --- clocks -------------------------------------------------------------------------------------------------------


def _clocks(settings: Settings) -> Iterator[Finding]:
    """How far this host's clock is from those of others."""
    others = {"Twilio": _their_time(settings.twilio_api_base_url)}
    if not settings.database_url.startswith("sqlite"):
        others["the database"] = _database_time()
    for who, told in others.items():
        if told is not None:
            skew = abs(clock.real() - told)
            yield Finding(
                "clock",
                skew <= SKEW,
                f"{skew.total_seconds():.0f} s from {who}",
                "let NTP set this host's clock (timedatectl set-ntp true)",
            )


def _their_time(url: str) -> datetime | None:
    """As the Date of any answer tells it."""
    parts = urlsplit(url)
    connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    line = connection(parts.netloc, timeout=SECONDS)
    try:
        line.request("HEAD", "/")
        return parsedate_to_datetime(line.getresponse().headers["Date"])
    except (OSError, HTTPException, TypeError, ValueError):
        return None
    finally:
        line.close()


def _database_time() -> datetime | None:
    try:
        with runtime.reading() as session:
            told: datetime | None = session.scalar(text("SELECT now()"))
            return told
    except SQLAlchemyError:
        return None
