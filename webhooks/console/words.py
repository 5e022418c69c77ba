"""How the console says times, people and states. Every time is the clock's on somebody's wall, with its zone given."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import phonenumbers
from babel.dates import format_date
from flask_babel import get_locale

from notifier.core.business import quiet_span
from notifier.core.states import MessageState, PlanState
from notifier.core.vocabulary import Channel, Role, Urgency
from notifier.core.wording import say_time
from notifier.runtime import current
from webhooks.console.tongue import _

URGENCY = {
    Urgency.EMERGENCY: "Emergency",
    Urgency.URGENT: "Urgent",
    Urgency.SAME_DAY: "Same-day",
    Urgency.ROUTINE: "Routine",
    Urgency.NONE: "For information",
}
PROMISED = {
    Urgency.EMERGENCY: "taken within 5 min, on the phone within 10",
    Urgency.URGENT: "a call within 15 min",
    Urgency.SAME_DAY: "today",
    Urgency.ROUTINE: "next work day",
    Urgency.NONE: "",
}
ROLES = {
    Role.NURSE: "Nursing",
    Role.PHARMACIST: "Pharmacy",
    Role.DELIVERY: "Delivery",
    Role.COORDINATOR: "Coordination",
    Role.BILLING: "Billing",
    Role.SUPERVISOR: "Supervisor",
    Role.ADMIN: "Administration",
}
ROLE_ICONS = {
    Role.NURSE: "nurse",
    Role.PHARMACIST: "pharmacy",
    Role.DELIVERY: "truck",
    Role.COORDINATOR: "coord",
    Role.BILLING: "billing",
}
LANGUAGES = {"en": "English", "es": "Spanish"}
MESSAGE_STATES = {
    MessageState.PLANNED: "Planned",
    MessageState.SENDING: "Sending",
    MessageState.UNCERTAIN: "In doubt, Twilio is being asked",
    MessageState.SENT: "Sent",
    MessageState.DELIVERED: "Delivered",
    MessageState.FAILED: "Failed",
    MessageState.CANCELLED: "Cancelled",
    MessageState.EXPIRED: "Not sent, too late",
}
PLAN_TONES = {PlanState.PAUSED: "note", PlanState.ENDED: "routine", PlanState.DECEASED: "routine"}
ACRONYMS = {"iv", "tpn", "ivig", "scig", "picc"}
NEAR = timedelta(minutes=10)


def urgency_word(urgency: Urgency) -> str:
    """`Emergency`."""
    return _(URGENCY[urgency])


def role_word(role: Role) -> str:
    """`Nursing`."""
    return _(ROLES[role])


def tone(urgency: Urgency) -> str:
    """The stylesheet's word for an urgency, as in `is-sameday`."""
    return "routine" if urgency is Urgency.NONE else urgency.value.replace("_", "")


def kind_words(code: str) -> str:
    """A kind in English, by which its translation is found."""
    return code.replace("_", " ").capitalize()


def kind(code: str) -> str:
    """`Line out` for LINE_OUT."""
    return _(kind_words(code))


def kinds(codes: list[str]) -> str:
    """The kinds of a ticket as a colleague would say them aloud: `fever, chills`."""
    return ", ".join(kind(code).lower() for code in codes)


def plain(word: str) -> str:
    """`First dose` for first_dose, `IV antibiotic` for iv_antibiotic."""
    return _(readable(word))


def step(key: str) -> str:
    """A step of the journey: `Check in`, `Delivery: moved`; `Check in: no answer, reminder 1` for check_in.silence1."""
    asked, _silence, rung = key.partition(".silence")
    if rung.isdigit():
        return _("%(step)s: no answer, reminder %(number)s", step=step(asked), number=rung)
    return _(step_words(key))


def step_words(key: str) -> str:
    """The same in English, by which its translation is found."""
    return readable(key.replace(".", ": "))


def readable(word: str) -> str:
    """The same in English, by which its translation is found."""
    said = " ".join(part.upper() if part in ACRONYMS else part for part in str(word).split("_"))
    return said[:1].upper() + said[1:]


def language(code: str) -> str:
    """`Spanish` for es or es-MX; the code itself for a language that we do not know."""
    return _(LANGUAGES.get(code.partition("-")[0].lower(), code))


def phone(number: str | None) -> str:
    """`(503) 555-0142`."""
    if not number or not number.startswith("+"):
        return number or ""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    digits = str(parsed.national_number)
    if parsed.country_code == 1 and len(digits) == 10:
        return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def initials(name: str) -> str:
    """`NF` for Nell Fable."""
    parts = name.split()
    return "".join(part[0] for part in parts[:1] + parts[1:][-1:]).upper()


# --- times --------------------------------------------------------------------------------------------------------


def clock_time(instant: datetime, zone: ZoneInfo) -> str:
    """`2:19 PM`."""
    local = instant.astimezone(zone)
    return f"{local.hour % 12 or 12}:{local:%M} {'AM' if local.hour < 12 else 'PM'}"


def to_the_second(instant: datetime, zone: ZoneInfo) -> str:
    """`2:19:04 PM`."""
    local = instant.astimezone(zone)
    return f"{local.hour % 12 or 12}:{local:%M:%S} {'AM' if local.hour < 12 else 'PM'}"


def day(instant: datetime, zone: ZoneInfo) -> str:
    """`Wednesday, March 4`."""
    local = instant.astimezone(zone)
    return _date(local, "EEEE, MMMM d", "EEEE, d 'de' MMMM")


def short_day(instant: datetime, zone: ZoneInfo) -> str:
    """`Mar 4`, with the year when it is not this one's."""
    local = instant.astimezone(zone)
    return _date(local, "MMM d", "d MMM")


def month_year(day: date) -> str:
    """`November 2026`."""
    return _date(day, "MMMM y", "MMMM 'de' y")


def day_of_month(day: date) -> str:
    """`Nov 3`."""
    return _date(day, "MMM d", "d MMM")


def date_words(day: date) -> str:
    """`Nov 3, 2026`."""
    return _date(day, "MMM d, y", "d MMM y")


def _date(day: date, english: str, spanish: str) -> str:
    """A date in the reader's language, by the pattern of each (CLDR)."""
    locale = get_locale() or "en"
    return str(format_date(day, spanish if str(locale) == "es" else english, locale=locale))


def weekday(day: date) -> str:
    """`Mon`."""
    return _date(day, "EEE", "EEE")


def when(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    """As near as it needs: `2:19 PM` today, `Wed 5:00 PM` within six days, else `Mar 14, 5:00 PM`."""
    days = abs((instant.astimezone(zone).date() - now.astimezone(zone).date()).days)
    time = clock_time(instant, zone)
    if days == 0:
        return time
    return f"{weekday(instant.astimezone(zone))} {time}" if days < 7 else f"{short_day(instant, zone)}, {time}"


def of_zone(instant: datetime, zone: ZoneInfo, reader: ZoneInfo) -> str:
    """` EST` where the clock of a time is not its reader's, else nothing."""
    local = instant.astimezone(zone)
    return "" if local.utcoffset() == instant.astimezone(reader).utcoffset() else f" {local:%Z}"


def span(length: timedelta) -> str:
    """`4 min`, `1 h 55 min`, `3 days`."""
    minutes = max(0, round(length.total_seconds() / 60))
    if minutes < 1:
        return _("under 1 min")
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    days = round(minutes / 1440)
    return _("%(count)s days", count=days) if days > 1 else _("1 day")


def often(times: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: _("once"), 2: _("twice")}.get(times) or _("%(count)s times", count=times)


def quiet_hours(text: str) -> str:
    """`8 PM to 8 AM` for a site's "20:00-08:00"."""
    return _(
        "%(start)s to %(end)s",
        **dict(zip(("start", "end"), (say_time(e, "en") for e in quiet_span(text)), strict=True)),
    )


def window(start: datetime, end: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """`Wed 4:00 PM to 6:00 PM`."""
    begins = when(start, zone, now)
    return _("%(start)s to %(end)s", start=begins, end=clock_time(end, zone)) if end else begins


class Due(NamedTuple):
    """What was promised by when: the clock time first, the minutes as a help."""

    main: str
    help: str
    style: str  # "", "is-near", "is-late"
    spent: int | None  # how much of the time is used, in percent; None: no bar

    @property
    def sentence(self) -> str:
        """In one line, as in `by 3:12 AM · 8 min left`."""
        return f"{self.main} · {self.help}"


def due(
    opened: datetime, respond_by: datetime, urgency: Urgency, zone: ZoneInfo, now: datetime, reader: ZoneInfo
) -> Due:
    """What a row and a promise say about time: the patient's, named where the reader's clock shows another."""
    at = when(respond_by, zone, now) + of_zone(respond_by, zone, reader)
    left = respond_by - now
    if left < timedelta():
        return Due(_("%(span)s late", span=span(-left)), _("was due %(at)s", at=at), "is-late", None)
    by = _("by %(at)s", at=at)
    if urgency.rank >= Urgency.ROUTINE.rank:
        far = left > timedelta(hours=8)
        return Due(by, _("next work day") if far else _("%(span)s left", span=span(left)), "", None)
    used = round(100 * (now - opened) / (respond_by - opened)) if respond_by > opened else 0
    near = "is-near" if left <= NEAR else ""
    return Due(by, _("%(span)s left", span=span(left)), near, min(100, max(0, used)))


# --- messages -----------------------------------------------------------------------------------------------------


def why_failed(code: int | None, why: str | None) -> str:
    """What happened to a message, in words; Twilio's number is one step further."""
    if code:
        return _(current().catalog.failures.of(code).sentence)
    return _(why_words(why)) if why else ""


def why_words(why: str) -> str:
    """A reason of the service's own in English, by which its translation is found."""
    return why.removeprefix("call: ").replace("_", " ").replace("-", " ").capitalize()


def by_way(channel: Channel) -> str:
    """`text` or `call`."""
    return _("call") if channel is Channel.VOICE else _("text")


FILTERS: dict[str, Callable[..., Any]] = {
    "tone": tone,
    "kind": kind,
    "kinds": kinds,
    "plain": plain,
    "step": step,
    "language": language,
    "phone": phone,
    "initials": initials,
    "clock_time": clock_time,
    "to_the_second": to_the_second,
    "day": day,
    "short_day": short_day,
    "when": when,
    "month_year": month_year,
    "weekday": weekday,
    "date_words": date_words,
    "day_of_month": day_of_month,
    "span": span,
    "by_way": by_way,
    "often": often,
    "quiet_hours": quiet_hours,
    "urgency_word": urgency_word,
    "role_word": role_word,
}
