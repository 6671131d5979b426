"""What one verification of an access token takes in-process: `make bench-api`."""

import statistics
import sys
import time
from collections.abc import Callable

from bench.sites import application
from tests.people import runtime_of
from webapp import clock
from webapp.ids import new_id
from webapp.services import signing_keys, tokens
from webapp.services.access_tokens import Subject

BATCH = 1000  # tokens
BATCHES = 7


def main() -> None:
    """Of a token never seen, and of one that was."""
    with application() as app:
        key = signing_keys.current_key()
        new, seen = [], []
        for _ in range(BATCHES):
            subjects = [Subject(new_id(), new_id(), clock.now(), ("pwd",)) for _ in range(BATCH)]
            batch = [runtime_of(app).access_tokens.issue(key, subject) for subject in subjects]
            for times in (new, seen):
                times.append(microseconds(tokens.verify_access_token, batch))
    print(f"{'one verification in-process':<36}{'µs':>12}")
    print(f"{'  of a token never seen':<36}{statistics.median(new):>12.1f}")
    print(f"{'  of one verified before':<36}{statistics.median(seen):>12.1f}\n")


def microseconds(verify: Callable[[str], object], batch: list[str]) -> float:
    """How much of the processor each of a batch takes."""
    began = time.thread_time()
    for token in batch:
        verify(token)
    return (time.thread_time() - began) / len(batch) * 1e6


if __name__ == "__main__":
    sys.exit(main())
