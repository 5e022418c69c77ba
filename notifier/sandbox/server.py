"""An HTTP server on a thread: quiet, threaded, and gone without a trace when it is stopped."""

import os
import socket
import threading
from wsgiref.types import WSGIApplication

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from notifier.errors import Misconfigured


class QuietRequest(WSGIRequestHandler):
    """One request: nothing of it is logged, and its connection is known so that it can be closed."""

    open_connections: set[socket.socket]

    def handle(self) -> None:
        """Serves the connection."""
        self.open_connections.add(self.connection)
        try:
            super().handle()
        finally:
            self.open_connections.discard(self.connection)

    def connection_dropped(self, error: BaseException, environ: object = None) -> None:
        """Hangs up, also when it was us who dropped it."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: object) -> None:
        """Keeps numbers and addresses to itself."""


class Server:
    """Serves a WSGI application on host and port (0: any that is free)."""

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        try:
            listener = socket.create_server((host, port), backlog=128)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise Misconfigured(
                f"Port {port} on {host} cannot be used ({reason}). Stop what uses it, or choose another port."
            ) from None
        self._connections: set[socket.socket] = set()
        handler = type("Request", (QuietRequest,), {"open_connections": self._connections})
        with listener:
            self._server: BaseWSGIServer = make_server(
                host, port, app, threaded=True, request_handler=handler, fd=listener.fileno()
            )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox-http", daemon=True
        )

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stops serving and closes every connection."""
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was quicker
