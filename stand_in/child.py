"""A command that runs beside the stand-in: it gets our signals, and we end as it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command until it ends; gives its exit code. Raises OSError where it cannot be started."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # what came before there was somebody to tell

    def forward(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _terminal_tells_all():
            return
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603  (what the developer typed)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code  # ended by a signal: as a shell says it


def _terminal_tells_all() -> bool:
    """Whether Ctrl-C reaches the child by itself: a terminal sends it to everybody in its foreground."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp() if sys.__stdin__ else False
    except (OSError, ValueError):
        return False
