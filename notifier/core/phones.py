"""Phone numbers as people write them, and as machines do."""

import re

import phonenumbers
from phonenumbers import ValidationResult


def e164(text: str, region: str = "US") -> str:
    """`+15035550123` for `(503) 555-0123`. Raises ValueError that says what is wrong with it.

    Possible is enough: numbers kept for stories (555-01xx) are possible and never valid.
    """
    if re.search(r"[^\d\s()+./-]", text) or not re.search(r"\d", text):
        raise ValueError("not a phone number")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        short = len(re.sub(r"\D", "", text)) < 7
        raise ValueError("too short" if short else "not a phone number") from None
    match phonenumbers.is_possible_number_with_reason(number):
        case ValidationResult.IS_POSSIBLE:
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        case ValidationResult.TOO_SHORT | ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            raise ValueError("too short")
        case ValidationResult.TOO_LONG:
            raise ValueError("too long")
    raise ValueError("not a phone number")
