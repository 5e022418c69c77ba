"""How often somebody may try: counted in Redis, or in this process while Redis is away."""

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(
    get_remote_address,
    strategy="moving-window",
    storage_options={"socket_connect_timeout": 1, "socket_timeout": 1},
    in_memory_fallback_enabled=True,
    key_prefix="notifier",
)


def storage(redis_url: str) -> str:
    """REDIS_URL as the limiter writes it."""
    return redis_url.replace("unix://", "redis+unix://", 1) if redis_url.startswith("unix://") else redis_url
