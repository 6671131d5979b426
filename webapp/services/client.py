"""Where a request comes from, as plain values that any door can give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """One caller: its address, what it says it is, and the known-device secret it holds, if any."""

    ip: str
    user_agent: str
    device: str | None = None  # the raw value of the device cookie
    trust: str | None = None  # the raw value of the cookie of a trusted browser
    device_name: str | None = None  # what an app calls itself


OPERATOR = Client(ip="", user_agent="")
