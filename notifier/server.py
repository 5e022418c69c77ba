"""The Flask app under gunicorn."""

import gc
from typing import Any

from gunicorn.app.base import BaseApplication

from notifier import logs
from notifier.runtime import current

WORKERS = 2
THREADS = 48  # a browser that follows a page holds one of them, asleep


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, bind: str) -> None:
        self._bind = bind
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": self._bind,
            "workers": WORKERS,
            "threads": THREADS,
            "worker_class": "gthread",
            "timeout": 30,
            "graceful_timeout": 5,
            "keepalive": 5,
            "accesslog": None,  # an access line would hold what a caller put into the address
            "control_socket_disable": True,
        }.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        from webhooks.app import create_app

        app = create_app()
        gc.collect()
        gc.freeze()  # the catalog lives as long as we do: to look through it again costs a page a tenth of a second
        return app


def serve(bind: str) -> None:
    """Serve HTTP at HOST:PORT until told to stop."""
    logs.configure(current().settings.log_format)
    _Server(bind).run()
