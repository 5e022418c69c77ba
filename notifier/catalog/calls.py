"""calls.toml as values: the voices, how long it rings, and what follows when nobody is reached."""

import re
from datetime import timedelta
from typing import Any

from notifier.core.phone import Again, Manner, Unreached, Voice

Table = dict[str, Any]
_SPAN = re.compile(r"(\d+) (minute|hour)s?")
_RING = range(5, 601)  # what Twilio rings at all


def read_manner(table: Table, faults: list[str]) -> Manner | None:
    """How we call; what is wrong is added to `faults`, and then there is None."""
    found: list[str] = []
    voices = {}
    for language, voice in table.get("voices", {}).items():
        if not re.fullmatch(r"Polly\.\w+(-Neural)?", str(voice.get("voice", ""))):
            found.append(f"voices.{language}: voice must be one of Amazon Polly's, such as Polly.Joanna")
        elif not re.fullmatch(r"\d{2,3}%", str(voice.get("pace", "100%"))) or "code" not in voice:
            found.append(f'voices.{language}: needs a code such as en-US, and a pace such as "90%"')
        else:
            voices[language] = Voice(voice["voice"], voice["code"], voice.get("pace", "100%"))
    if "en" not in voices and not found:
        found.append("voices.en is missing: every other language falls back to it")
    again = {}
    for name, rule in table.get("unreached", {}).items():
        span = _SPAN.fullmatch(str(rule.get("after", "")))
        if name not in list(Unreached) or not span or not isinstance(rule.get("calls"), int) or rule["calls"] < 1:
            known = ", ".join(Unreached)
            found.append(f'unreached.{name}: one of {known}, with after such as "10 minutes" and calls, a number')
            continue
        again[Unreached(name)] = Again(timedelta(**{f"{span[2]}s": int(span[1])}), rule["calls"])
    found += [f"unreached.{name} is missing" for name in Unreached if name not in table.get("unreached", {})]
    seconds = {name: table.get(name) for name in ("ring_seconds", "staff_ring_seconds", "key_seconds")}
    found += [f"{name} must be a number from 5 to 600" for name, value in seconds.items() if value not in _RING]
    faults += [f"calls.toml: {fault}" for fault in found]
    return None if found else Manner(**seconds, voices=voices, unreached=again)  # type: ignore[arg-type]
