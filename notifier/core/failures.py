"""What Twilio's error codes mean for us (Twilio's own code pages; twilio error dictionary)."""

from enum import StrEnum


class Failure(StrEnum):
    """What follows when a message does not arrive."""

    OPTED_OUT = "opted_out"  # record it, never text again
    LANDLINE = "landline"  # this number takes calls only
    INVALID = "invalid"  # no such number: a person must find the right one
    TRANSIENT = "transient"  # try again a little later, while it still makes sense
    CONFIGURATION = "configuration"  # ours to mend: our account, our number, our words
    BLOCKED = "blocked"  # carriers filter it: another way, not the same words again
    UNKNOWN = "unknown"  # once more, then another way


CODES: dict[int, Failure] = {
    21610: Failure.OPTED_OUT,
    **dict.fromkeys((21612, 21614, 30006), Failure.LANDLINE),
    **dict.fromkeys((21211, 21217, 21214, 13223, 13224, 30005), Failure.INVALID),
    **dict.fromkeys(
        (20409, 20429, 10004, 21611, 30001, 30003, 30008, 30017, 30022, 30023, 30027, 30036, 30410, 30450),
        Failure.TRANSIENT,
    ),
    **dict.fromkeys((21216, 13225, 30004, 30007, 30610, 30640), Failure.BLOCKED),
    **dict.fromkeys(
        (20003, 20404, 21205, 21210, 21212, 21213, 21215, 21219, 21402, 21408, 21602, 21603, 21604, 21606, 21608)
        + (21609, 21617, 21618, 21619, 10001, 11100, 13227, 14107, 20005, 30002, 30010, 30019, 30024, 30032, 30033)
        + (30034, 30035, 63038),
        Failure.CONFIGURATION,
    ),
}

# Our account is shut out, whatever we send: nothing was taken, and all of it leaves once that is mended.
SHUT_OUT = {10001, 20003, 20005, 30002}


def failure(code: int | None) -> Failure:
    """The class of an error code; unknown codes have a safe default."""
    return CODES.get(code or 0, Failure.UNKNOWN)


WORDS = {
    Failure.OPTED_OUT: "opted out of texts",
    Failure.LANDLINE: "takes calls only",
    Failure.INVALID: "is not a working number",
    Failure.TRANSIENT: "could not be reached",
    Failure.CONFIGURATION: "was refused because of our set-up",
    Failure.BLOCKED: "was blocked by the carrier",
    Failure.UNKNOWN: "could not be reached",
}
