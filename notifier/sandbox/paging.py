"""How Twilio's lists are cut into pages: newest first, a cursor that is the last SID shown, and filters by time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import TypeVar
from urllib.parse import urlencode

from notifier.sandbox.refusals import Refusal
from notifier.sandbox.resources import Json

R = TypeVar("R")


def page(name: str, rows: Sequence[R], path: str, args: Mapping[str, str], show: Callable[[R], Json]) -> Json:
    """One page of `rows` (newest first) under `name`, with the addresses of its neighbours."""
    size = min(max(_whole(args.get("PageSize"), 50), 1), 1000)
    number = _whole(args.get("Page"), 0)
    start, cursor = 0, args.get("PageToken", "")[2:]
    kept = {key: value for key, value in args.items() if key not in ("Page", "PageToken", "PageSize")}

    def sid(row: R) -> str:
        return str(show(row)["sid"])

    def address(page_number: int, token: str = "") -> str:
        more = {"PageSize": str(size), "Page": str(page_number), **({"PageToken": f"PA{token}"} if token else {})}
        return f"{path}?{urlencode({**kept, **more})}"

    if cursor:
        start = next((place + 1 for place, row in enumerate(rows) if sid(row) == cursor), len(rows))
    shown = rows[start : start + size]
    before = rows[start - size - 1] if start > size else None
    return {
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(len(shown) - 1, 0),
        "uri": address(number, cursor),
        "first_page_uri": address(0),
        "previous_page_uri": address(number - 1, sid(before) if before else "") if start else None,
        "next_page_uri": address(number + 1, sid(shown[-1])) if start + size < len(rows) else None,
        name: [show(row) for row in shown],
    }


def within(at: datetime | None, name: str, args: Mapping[str, str]) -> bool:
    """Whether the instant passes the filters name, name< and name>, by the day or by the second; none never does."""
    for key in (name, f"{name}<", f"{name}>"):
        wanted = args.get(key, "")
        if not wanted:
            continue
        if at is None:
            return False
        moment = _moment(key, wanted)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        by_day = len(wanted) == 10
        latest = datetime.combine(moment, time.max, UTC) if by_day else moment
        at_second = at.replace(microsecond=0)
        if key.endswith("<"):
            passes = at_second <= latest
        elif key.endswith(">"):
            passes = at_second >= moment
        else:
            passes = at.date() == moment.date()
        if not passes:
            return False
    return True


def _moment(name: str, wanted: str) -> datetime:
    try:
        return datetime.fromisoformat(wanted)
    except ValueError:
        raise Refusal(20001, name) from None


def _whole(value: str | None, default: int) -> int:
    return int(value) if value and value.isdigit() else default
