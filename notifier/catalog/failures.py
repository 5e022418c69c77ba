"""failures.toml as rules: what each of Twilio's codes means, and what follows."""

from datetime import timedelta
from typing import Any

from notifier.core.failures import PACIFIC_MIDNIGHT, Failure, Failures, Rule

SETTINGS = {"is", "means", "tries", "wait", "voice"}


def read_failures(table: dict[str, Any], faults: list[str]) -> Failures:
    """The rules by code; what is wrong is added to `faults`."""
    rules = {}
    for code, entry in table.get("code", {}).items():
        if not code.isdigit():
            faults.append(f"failures.toml: code.{code}: must be a number")
        elif rule := _rule(f"code.{code}", entry, faults):
            rules[int(code)] = rule
    unknown = _rule("unknown", table.get("unknown"), faults) or Rule(Failure.TRANSIENT, "could not be reached", 2)
    return Failures(unknown, rules)


def _rule(name: str, entry: Any, faults: list[str]) -> Rule | None:
    if not isinstance(entry, dict) or not {"is", "means"} <= entry.keys() or not entry.keys() <= SETTINGS:
        faults.append(f"failures.toml: {name}: needs is and means, and may have tries, wait and voice")
        return None
    wait, tries, voice = entry.get("wait", 5), entry.get("tries", 3), entry.get("voice", True)
    if entry["is"] not in list(Failure):
        faults.append(f"failures.toml: {name}: is: one of {', '.join(Failure)}")
        return None
    minutes = isinstance(wait, int | float) and not isinstance(wait, bool) and wait > 0
    if not (minutes or wait == PACIFIC_MIDNIGHT) or not isinstance(voice, bool) or not isinstance(tries, int):
        faults.append(
            f'failures.toml: {name}: wait: minutes or "{PACIFIC_MIDNIGHT}"; tries: a number; voice: true or false'
        )
        return None
    return Rule(Failure(entry["is"]), str(entry["means"]), tries, timedelta(minutes=wait) if minutes else None, voice)
