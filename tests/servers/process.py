"""A child process that serves on this machine for as long as the tests run, and its short-lived directory."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
PREFIX = "site-tests-"
LONGEST_BASE = 40  # characters; a unix socket's path may have about 100


class ServerDirectory:
    """A new directory with a path short enough for sockets. What a killed run left behind is removed first."""

    def __init__(self) -> None:
        base = Path(tempfile.gettempdir())
        base = base if len(str(base)) <= LONGEST_BASE else Path("/tmp")  # noqa: S108  (mkdtemp below)
        for leftover in base.glob(f"{PREFIX}*"):
            _remove_if_abandoned(leftover)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._lock = (self.path / "lock.new").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / "lock.new").rename(self.path / "lock")  # whoever tidies up never sees it unlocked

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _remove_if_abandoned(directory: Path) -> None:
    try:
        with (directory / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
    except OSError:
        return  # in use, being made at this moment, or another user's


def launched(
    command: Sequence[str | Path], *, user: str = "", death_signal: signal.Signals = signal.SIGTERM
) -> list[str]:
    """The command line that runs `command` as `user` and sends it `death_signal` when this process ends."""
    return [sys.executable, "-I", str(LAUNCHER), str(int(death_signal)), user, *map(str, command)]


class ServerProcess:
    """One command, started and stopped as often as a test wants; it ends with this process in any case."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        is_ready: Callable[[], bool],
        stop_signal: signal.Signals = signal.SIGTERM,
        user: str = "",
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._command = command
        self._log = log
        self._is_ready = is_ready
        self._stop_signal = stop_signal
        self._user = user
        self._environment = environment
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def log_text(self) -> str:
        """What the server has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start the server if it is not running, and return when it answers."""
        if self._process is not None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                launched(self._command, user=self._user, death_signal=self._stop_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                pass_fds=self._pass_fds,
            )
        try:
            wait_until(lambda: self._is_ready() or self._ended())
            assert not self._ended(), f"the server ended at once:\n{self.log_text}"
        except BaseException:
            self.stop()
            raise

    def stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Stop the server and wait for its end. Stopping one that does not run does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(stop_signal or self._stop_signal)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block the server takes connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Return when `condition` holds. Counts its rests instead of reading a clock, which a test may have stopped."""
    for _ in range(int(seconds * 100)):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {seconds:g} seconds")
