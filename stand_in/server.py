"""A provider's application on a port of this machine."""

import socket
import threading
from wsgiref.types import WSGIApplication

from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    """Logs nothing: addresses hold codes. Tells nobody what it is made of."""

    protocol_version = "HTTP/1.0"  # one request a connection, so that nothing stays open when it stops

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  (Werkzeug's name)
        return

    def version_string(self) -> str:
        return "stand-in"


def listen(port: int = 0) -> socket.socket:
    """A socket on a port of loopback, 0 for any that is free. Raises OSError where it is taken."""
    return socket.create_server((HOST, port))


class Server:
    """Serves an application on a socket, in threads, until it is stopped."""

    def __init__(self, listening: socket.socket, app: WSGIApplication) -> None:
        with listening:
            port = listening.getsockname()[1]
            self._server = make_server(HOST, port, app, threaded=True, request_handler=_Quiet, fd=listening.fileno())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests. Answers under way are not waited for."""
        self._server.shutdown()
        self._thread.join()
