"""The doorbell: Redis, the two queues, and ring(). Losing every ring costs seconds, never a message."""

import logging
import time
from functools import cache
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel
from rq import Queue

from notifier.runtime import current

URGENT, BULK = "urgent", "bulk"
LEAVE_ALONE = 0.8  # seconds; less than a tick
_leave_alone_until = 0.0
log = logging.getLogger(__name__)


@cache
def connection(url: str | None = None) -> Redis:
    """This process's line to Redis. A lost answer is not asked again: a repeated ring is cheap, a stuck one is not."""
    url = url or current().settings.redis_url
    given = {
        "socket_timeout": 1,
        "socket_connect_timeout": 1,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 30,
    }
    if not url.startswith("redis+sentinel://"):
        return Redis.from_url(url, **given)
    parts = urlsplit(url)
    who, _, hosts = parts.netloc.rpartition("@")
    password = unquote(who.partition(":")[2]) or None
    pairs = [host.rpartition(":") if ":" in host else (host, ":", "26379") for host in hosts.split(",")]
    service, _, database = parts.path.strip("/").partition("/")
    watch = Sentinel(  # type: ignore[no-untyped-call]
        [(host, int(port)) for host, _, port in pairs],
        sentinel_kwargs={"socket_timeout": 1, "socket_connect_timeout": 1},
    )
    line: Redis = watch.master_for(service, password=password, db=int(database or 0), **given)  # type: ignore[no-untyped-call]
    return line


def ring(task: str = "dispatch", *ids: str, queue: str = URGENT) -> bool:
    """Ask a worker to look now. Only a hint: if it is lost, the next tick finds the row. False: Redis is away.

    While Redis is away a patient's text must not wait for it: after a failure it is left alone for a while.
    """
    global _leave_alone_until
    if time.monotonic() < _leave_alone_until:
        return False
    try:
        Queue(queue, connection=connection()).enqueue(
            f"jobs.tasks.{task}", *ids, ttl=60, result_ttl=0, failure_ttl=86_400, job_timeout=120
        )
    except RedisError as error:
        log.warning("ring lost: %s (%s)", task, type(error).__name__)
        _leave_alone_until = time.monotonic() + LEAVE_ALONE
        return False
    return True


def waiting(queue: str) -> int | None:
    """How many rings wait in a queue; None: Redis is away."""
    try:
        return int(Queue(queue, connection=connection()).count)
    except RedisError:
        return None
