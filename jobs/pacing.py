"""How fast each sender may send: a token bucket in Redis, shared by all workers, filled at the sender's own rate.

While Redis is away nothing that can wait is let out; what is urgent never asks, and its share is taken off afterwards.
"""

import logging
from collections.abc import Mapping
from functools import cache

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from jobs.queue import connection
from notifier.sending import Lane

BURST = 0.2  # seconds' worth that one who looks late may make up for, beside the one that is due
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


def take(wants: Mapping[Lane, int]) -> dict[Lane, tuple[int, float]]:
    """For each sender how many segments (calls) of those it wants may leave now, and in how many seconds the next one.

    Nothing while Redis is away.
    """
    try:
        line = connection().pipeline(transaction=False)
        for lane, want in wants.items():
            args = [lane.rate, 1 + lane.rate * BURST, want, FORGET]
            _script(connection())(keys=[_key(lane.name)], args=args, client=line)
        return {lane: (int(may), float(wait)) for lane, (may, wait) in zip(wants, line.execute(), strict=True)}
    except RedisError as error:
        log.warning("what can wait waits: Redis is away (%s)", type(error).__name__)
        return dict.fromkeys(wants, (0, 1.0))


def settle(unused: Mapping[str, float]) -> None:
    """Give back what was taken and not used; below 0: take what was used beyond, which the next ones wait for."""
    try:
        line = connection().pipeline(transaction=False)
        for name, segments in unused.items():
            if segments:
                line.hincrbyfloat(_key(name), "tokens", segments)
        line.execute()
    except RedisError as error:
        log.warning("a pace is not exact: Redis is away (%s)", type(error).__name__)


def _key(name: str) -> str:
    return f"pace:{name}"
