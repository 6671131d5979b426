"""Who is calling, as plain values for the services."""

import ipaddress
import re
from functools import lru_cache

from flask import Flask, Request, current_app

from webapp.services.client import Client
from webapp.settings import Settings

MAX_USER_AGENT = 512  # characters
DEVICE_COOKIE_NAME = "DEVICE_COOKIE_NAME"  # the key in app.config
TRUST_COOKIE_NAME = "TRUST_COOKIE_NAME"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_DEVICE = re.compile(r"[A-Za-z0-9_-]{20,128}")


def install_client(app: Flask, settings: Settings) -> None:
    """Fix the names of the cookies that hold the secrets of known devices and of trusted browsers."""
    app.config[DEVICE_COOKIE_NAME] = "__Host-device" if settings.is_https else "device"
    app.config[TRUST_COOKIE_NAME] = "__Host-trust" if settings.is_https else "trust"


def client_of(request: Request) -> Client:
    """The caller of `request`: its address in one spelling, a clean user agent, and the device secret it holds."""
    device = request.cookies.get(current_app.config[DEVICE_COOKIE_NAME], "")
    trust = request.cookies.get(current_app.config[TRUST_COOKIE_NAME], "")
    return Client(
        ip=ip_of(request),
        user_agent=clean_user_agent(request.headers.get("User-Agent", "")),
        device=device if _DEVICE.fullmatch(device) else None,
        trust=trust if _DEVICE.fullmatch(trust) else None,
    )


def ip_of(request: Request) -> str:
    """The address of the caller in one spelling; empty where it is none."""
    return normal_ip(request.remote_addr or "") or ""


def clean_user_agent(value: str) -> str:
    """At most 512 characters of a user agent, on one line."""
    return _CONTROL.sub(" ", value[:MAX_USER_AGENT]).strip()


@lru_cache(maxsize=2048)  # the same callers come again and again
def normal_ip(value: str) -> str | None:
    """An address in its one spelling: no port, no zone, IPv4 out of IPv6 wrapping. None for what is none."""
    value = value.strip()
    if value.startswith("["):
        value = value[1:].partition("]")[0]
    elif value.count(":") == 1:
        value = value.partition(":")[0]
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=2048)
def network_of(ip: str) -> str:
    """The network an address stands in, /24 or /48: enough to see patterns, not enough to name a person."""
    normal = normal_ip(ip)
    if normal is None:
        return ""
    return str(ipaddress.ip_network(f"{normal}/{48 if ':' in normal else 24}", strict=False))
