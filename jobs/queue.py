"""The doorbell: Redis, the two queues, and ring(). Losing every ring costs seconds, never a message."""

import logging
from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue

from notifier.runtime import current

URGENT, BULK = "urgent", "bulk"
log = logging.getLogger(__name__)


@cache
def connection(url: str | None = None) -> Redis:
    """This process's line to Redis. A lost answer is not asked again: a repeated ring is cheap, a stuck one is not."""
    return Redis.from_url(
        url or current().settings.redis_url,
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=30,
    )


def ring(task: str = "dispatch", *ids: str, queue: str = URGENT) -> bool:
    """Ask a worker to look now. Only a hint: if it is lost, the next tick finds the row. False: Redis is away."""
    try:
        Queue(queue, connection=connection()).enqueue(
            f"jobs.tasks.{task}", *ids, ttl=60, result_ttl=0, failure_ttl=86_400, job_timeout=120
        )
    except RedisError as error:
        log.warning("ring lost: %s (%s)", task, type(error).__name__)
        return False
    return True


def waiting(queue: str) -> int | None:
    """How many rings wait in a queue; None: Redis is away."""
    try:
        return int(Queue(queue, connection=connection()).count)
    except RedisError:
        return None
