"""Ids of requests: what ties an answer, its log lines and its mails together."""

import itertools
import os
import secrets


class RequestIds:
    """Ids that no two requests have. They are no secrets, so that a random beginning a process and a count will do."""

    def __init__(self) -> None:
        self._process, self._beginning, self._numbers = 0, "", itertools.count(1)

    def __call__(self) -> str:
        """The next one."""
        pid = os.getpid()
        if pid != self._process:  # the first one after a fork
            self._beginning, self._process = secrets.token_hex(8), pid
        return f"{self._beginning}-{next(self._numbers):08x}"
