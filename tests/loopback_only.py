"""The tests reach nothing but this machine: a connection to anywhere else raises before it leaves.

An audit hook sees every connection of the interpreter, whatever library makes it. It cannot be taken out again, so
nothing in the tests can switch it off.
"""

import ipaddress
import sys

EVENTS_WITH_ADDRESS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
EVENTS_WITH_NAME = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
LOCAL_NAMES = {None, "", "localhost"}


class OutsideConnection(RuntimeError):
    """A test tried to reach another machine."""


def _stay_here(event: str, arguments: tuple[object, ...]) -> None:
    if event in EVENTS_WITH_ADDRESS:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None  # a unix socket's address is a path
    elif event in EVENTS_WITH_NAME:
        host = arguments[0]
    else:
        return
    if not _is_here(host.decode() if isinstance(host, bytes) else host):
        raise OutsideConnection(f"the tests may not reach {host!r}")


def _is_here(host: object) -> bool:
    if host in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


sys.addaudithook(_stay_here)
