"""Becomes a server process that dies with the test process: launch.py SIGNAL USER COMMAND...

Runs on its own, as a program: it gives up root for USER ("" keeps the user), asks the kernel for SIGNAL when the parent
ends in whatever way, and turns into COMMAND.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    death_signal, user, *command = sys.argv[1:]
    parent = os.getppid()
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
