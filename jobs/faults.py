"""What went wrong in a job, without a word of anybody's; and how one bad row stands in nobody's way."""

import functools
import logging
import traceback
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from notifier.provider import Unreachable

# The time is up, the database is away or busy, or Twilio is away: no row is at fault.
NOT_NOW = (BaseTimeoutException, OperationalError, InterfaceError, NoConnection, Unreachable)
log = logging.getLogger(__name__)


class JobFailed(Exception):
    """What went wrong and where, without a word of anybody's: RQ keeps this in Redis."""


def where(error: BaseException) -> str:
    """The kind of an error and the line that raised it; its message may quote a patient and is left out."""
    if isinstance(error, JobFailed):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name} ({last.filename.rsplit('/', 1)[-1]}:{last.lineno})"


def job(do: Callable[..., None]) -> Callable[..., None]:
    """A function as a job: its errors reach the log and Redis without their words."""

    @functools.wraps(do)
    def safely(*ids: str) -> None:
        try:
            do(*ids)
        except BaseTimeoutException:
            raise
        except Exception as error:  # noqa: BLE001  raised again, stripped
            raise JobFailed(where(error)) from None

    return safely


def each(do: Callable[[Any], object], rows: Iterable[object]) -> None:
    """Do it for every row. One that fails stands in nobody's way: the others are done first, then the job fails."""
    faults = []
    for row in rows:
        try:
            do(row)
        except NOT_NOW:
            raise
        except Exception as error:  # noqa: BLE001  raised below, stripped
            faults.append(where(error))
            log.error("passed over by %s: %s %s", do.__name__, row if isinstance(row, UUID) else "", faults[-1])
    if faults:
        raise JobFailed("; ".join(faults))
