"""Raw Argon2: as many processes as a site has workers do nothing but verify a password. `python -m bench.argon2_rate`
prints what one verification takes of the processor, in microseconds, and how many there were in a second.
"""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher

from webapp.settings import Settings

PASSWORD = b"seven quiet otters crossing"


def main() -> None:
    """Verify for so many seconds in so many processes with so many threads each."""
    seconds, processes, threads = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with multiprocessing.Pool(processes) as pool:
        results = pool.starmap(verify_for, [(seconds, threads)] * processes)
    done = sum(count for count, _ in results)
    print(json.dumps({"rate": done / seconds, "cost": sum(used for _, used in results) / done * 1e6}))


def verify_for(seconds: float, threads: int) -> tuple[int, float]:
    """How many verifications, and the processor seconds that they took."""
    settings = Settings.checked(SECRET_KEY="b" * 40)
    hasher = PasswordHasher(settings.ARGON2_TIME_COST, settings.ARGON2_MEMORY_KIB, settings.ARGON2_PARALLELISM)
    password_hash, end = hasher.hash(PASSWORD), time.monotonic() + seconds

    def verify(_: int) -> int:
        count = 0
        while time.monotonic() < end:
            hasher.verify(password_hash, PASSWORD)
            count += 1
        return count

    before = time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(verify, range(threads))), time.process_time() - before


if __name__ == "__main__":
    main()
