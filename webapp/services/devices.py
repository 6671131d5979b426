"""A device's name in words, from what its browser says of itself. Worth what a user agent is worth: a reminder for the
owner, never a proof.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import ua_parser

MAX_LENGTH = 512  # characters read of a user agent: the parser's time grows with it
UNKNOWN_DEVICE = "Unknown device"


class DeviceKind(StrEnum):
    """The shape of a device, for its icon."""

    PHONE = "phone"
    TABLET = "tablet"
    COMPUTER = "computer"
    APP = "app"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Device:
    """What a user agent tells: the program, what it runs on (either may be unknown: empty), and the shape."""

    program: str
    platform: str
    kind: DeviceKind


_PROGRAMS = {
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "HeadlessChrome": "Chrome",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Edge Mobile": "Edge",
    "Opera Mobile": "Opera",
    "Python Requests": "python-requests",
}
_PLATFORMS = {"Mac OS X": "Mac", "Chrome OS": "Chromebook", "Ubuntu": "Linux", "Fedora": "Linux", "Debian": "Linux"}
_COMPUTERS = frozenset({"Windows", "Mac", "Linux", "Chromebook", "FreeBSD", "OpenBSD"})
_COMMON_PROGRAMS = frozenset(
    {"Chrome", "Firefox", "Safari", "Edge", "Opera", "Samsung Internet", "Whale", "Vivaldi", "DuckDuckGo", "IE"}
)
_COMMON_PLATFORMS = _COMPUTERS | {"Android", "iOS", "iPhone", "iPad", "iPod"}


@lru_cache(maxsize=2048)
def describe_device(user_agent: str) -> Device:
    """What `user_agent` tells, of its first 512 characters."""
    return _describe(user_agent[:MAX_LENGTH])


def describe_common_device(user_agent: str) -> Device:
    """As `describe_device`, without names that a stranger may have made up: for mails, which whoever types an address
    can have us send there, and whose readers turn any word with a dot in it into a link.
    """
    device = describe_device(user_agent[:MAX_LENGTH])
    return Device(
        program=device.program if device.program in _COMMON_PROGRAMS else "",
        platform=device.platform if device.platform in _COMMON_PLATFORMS else "",
        kind=device.kind,
    )


def device_name(user_agent: str) -> str:
    """For example "Chrome on Windows", "Safari on iPhone", "curl", "Unknown device" (English)."""
    device = describe_device(user_agent[:MAX_LENGTH])
    if device.program and device.platform:
        return f"{device.program} on {device.platform}"
    return device.program or device.platform or UNKNOWN_DEVICE


def device_kind(user_agent: str) -> DeviceKind:
    """The shape of the device that `user_agent` tells of."""
    return describe_device(user_agent[:MAX_LENGTH]).kind


def warm_up() -> None:
    """Have the parser's rules ready, so that no visitor waits a quarter of a second for them."""
    describe_device("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0")


def _describe(user_agent: str) -> Device:
    found = ua_parser.parse(user_agent)
    family = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    model = found.device.family if found.device else ""
    program = _PROGRAMS.get(family, family) or _first_product(user_agent)
    platform = model if model in ("iPhone", "iPad", "iPod") else _PLATFORMS.get(system, system)
    return Device(program=program, platform=platform, kind=_kind(user_agent, program, platform))


def _kind(user_agent: str, program: str, platform: str) -> DeviceKind:
    if not user_agent.startswith("Mozilla/"):
        return DeviceKind.APP if program else DeviceKind.UNKNOWN
    if platform in ("iPhone", "iPod"):
        return DeviceKind.PHONE
    if platform == "iPad":
        return DeviceKind.TABLET
    if platform == "Android":  # tablets leave the word out
        return DeviceKind.PHONE if "Mobile" in user_agent else DeviceKind.TABLET
    return DeviceKind.COMPUTER if platform in _COMPUTERS else DeviceKind.UNKNOWN


def _first_product(user_agent: str) -> str:
    """The name of a program that no rule knows, such as "MyTool" of "MyTool/1.2"; nothing where it is no plain name."""
    name, slash, _version = user_agent.partition(" ")[0].partition("/")
    return name if slash and name != "Mozilla" and name.isascii() and 2 <= len(name) <= 40 and _is_plain(name) else ""


def _is_plain(name: str) -> bool:
    return name.replace("-", "").replace("_", "").replace(".", "").isalnum()
