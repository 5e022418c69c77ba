"""Whether what is posted again is what stands: then the caller is given what stands, else told what differs."""

from collections.abc import Mapping
from typing import Any

from webhooks.api.fields import Told
from webhooks.api.problems import Trouble, in_body, problem

GROWS = "consents"  # a list that only grows: what stands may hold more


def must_equal(stands: Told, asked: Mapping[str, Any]) -> None:
    """Raises Trouble (409) that names each field in which what stands differs from what was asked."""
    facts = stands.model_dump()
    differing = [name for name, value in asked.items() if not _holds(facts[name], value, name)]
    if differing:
        errors = in_body(dict.fromkeys(differing, "differs from what stands"))
        raise Trouble(problem(409, "This external_id is known already, with other facts.", errors))


def _holds(stands: Any, asked: Any, name: str) -> bool:
    match asked:
        case dict():
            return all(_holds(stands[part], value, part) for part, value in asked.items())
        case list():
            enough = len(stands) >= len(asked) if name == GROWS else len(stands) == len(asked)
            return enough and all(any(_holds(one, each, "") for one in stands) for each in asked)
        case _:
            return bool(stands == asked)
