"""What kind of line a phone number is, and what follows from it: a landline is called, whatever was chosen for it."""

from dataclasses import dataclass
from enum import StrEnum

from notifier.core.vocabulary import Channel, Consent

MAYBE_PASSING = 30006  # a landline, or a carrier that cannot be reached just now
OUT_OF_TEXTS = "Nothing is sent to it until then."


class LineType(StrEnum):
    """The kind of line behind a number, as far as it decides how its owner is reached."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    FIXED_VOIP = "fixed_voip"
    NON_FIXED_VOIP = "non_fixed_voip"
    OTHER = "other"  # toll-free, a pager and the like
    UNKNOWN = "unknown"  # not asked yet, or nobody could say

    @property
    def takes_texts(self) -> bool:
        """Only a landline surely takes none; where nobody knows, what was chosen stays."""
        return self is not LineType.LANDLINE


_TWILIOS = {"fixedVoip": LineType.FIXED_VOIP, "nonFixedVoip": LineType.NON_FIXED_VOIP}


def of_twilio(word: str | None) -> LineType:
    """Twilio's word for a line as ours."""
    if not word:
        return LineType.UNKNOWN
    if word in _TWILIOS:
        return _TWILIOS[word]
    return LineType(word) if word in list(LineType) else LineType.OTHER


def after_refusal(known: LineType, code: int | None) -> LineType:
    """What a number is after a carrier said that it takes calls only: a mobile may only be out of its reach now."""
    return known if known is LineType.MOBILE and code == MAYBE_PASSING else LineType.LANDLINE


@dataclass(frozen=True)
class Way:
    """How somebody is reached, and what a coordinator must do because that is not enough; empty: nothing."""

    channel: Channel
    todo: str = ""


def way(chosen: Channel, kind: LineType, *, texts: Consent, calls: Consent, whose: str) -> Way:
    """By which channel the owner of such a line is reached, of whom `chosen` was asked for.

    A landline is called. Where texts were agreed to and calls were not nothing may be said at all, so a person asks.
    `whose`: "The patient's phone" or the like.
    """
    if kind.takes_texts:
        return Way(chosen)
    if texts is not Consent.GIVEN or calls is Consent.GIVEN:
        return Way(Channel.VOICE)
    ask = {
        Consent.UNKNOWN: "Please call, ask whether we may call with reminders, and write the answer down under Consent",
        Consent.WITHDRAWN: "They asked for no more calls from us. Please call yourself",
    }[calls]
    return Way(
        Channel.VOICE,
        f"{whose} is a landline: texts do not arrive there, and calls were not agreed to. {OUT_OF_TEXTS} "
        f"{ask}, or ask for the number of a mobile phone.",
    )
