"""How fast each sender may send: a token bucket in Redis, shared by all workers, filled at the sender's own rate.

While Redis is away nothing that can wait is let out; what is urgent never asks, and its share is taken off afterwards.
"""

import logging
from functools import cache

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from jobs.queue import connection
from notifier.sending import Lane

BURST = 0.2  # seconds' worth that may leave at once
FORGET = 3_600_000  # milliseconds; a bucket that nobody used for so long is full anyway
log = logging.getLogger(__name__)

# Redis's own clock, so that hosts whose clocks differ share one bucket. A bucket that is new holds one.
TAKE = """
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(held[1]) or 1) + (now - (tonumber(held[2]) or now)) * rate)
local granted = math.max(0, math.floor(math.min(want, tokens)))
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - granted), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {granted, string.format('%.6f', math.max(0, (1 - tokens + granted) / rate))}
"""


@cache
def _script(line: Redis) -> Script:
    return line.register_script(TAKE)


def take(lane: Lane, want: int) -> tuple[int, float]:
    """How many segments (calls) of `want` may leave now, and in how many seconds the next one.

    Nothing while Redis is away.
    """
    burst = max(1.0, lane.rate * BURST)
    try:
        granted, wait = _script(connection())(keys=[_key(lane)], args=[lane.rate, burst, want, FORGET])
    except RedisError as error:
        log.warning("%s waits: Redis is away (%s)", lane.name, type(error).__name__)
        return 0, 1.0
    return int(granted), float(wait)


def settle(name: str, segments: float) -> None:
    """Give back what was taken and not used; below 0: take what was used beyond, which the next ones wait for."""
    if not segments:
        return
    try:
        connection().hincrbyfloat(f"pace:{name}", "tokens", segments)
    except RedisError as error:
        log.warning("the pace of %s is not exact: Redis is away (%s)", name, type(error).__name__)


def _key(lane: Lane) -> str:
    return f"pace:{lane.name}"
