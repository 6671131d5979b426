"""The headers every answer carries. Constants: no page needs an inline script or a foreign host."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response

from webapp.settings import Settings

# object-src is covered by default-src; it stands here for readers and scanners (ASVS 3.4.3).
PAGE_CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
DATA_CSP: Final = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"  # JSON, images, text
HSTS: Final = "max-age=63072000; includeSubDomains"  # two years (ASVS 3.4.1)

# A page whose address holds a token sets this itself: the path stays home. Not "no-referrer": browsers then send
# `Origin: null` with the form, and the check of origins would have nothing to look at.
TOKEN_PAGE_REFERRER_POLICY: Final = "strict-origin"

_DENIED_FEATURES = (
    "accelerometer autoplay browsing-topics camera display-capture encrypted-media fullscreen geolocation gyroscope "
    "hid identity-credentials-get idle-detection local-fonts magnetometer microphone midi otp-credentials payment "
    "picture-in-picture screen-wake-lock serial storage-access usb window-management xr-spatial-tracking"
)
PERMISSIONS_POLICY: Final = ", ".join(
    [f"{feature}=()" for feature in _DENIED_FEATURES.split()]
    + ["publickey-credentials-create=(self)", "publickey-credentials-get=(self)"]
)

COMMON_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SafeHeaders:
    """What every answer says, errors and last resorts included. What a view has set already stays.

    For the outermost layer, where headers are a plain list: there it costs a tenth of what an after_request would.
    """

    def __init__(self, settings: Settings) -> None:
        # Where the forms that lead to a provider may lead: browsers hold a redirect after a form to it, too.
        origins = [_origin(config.metadata_url) for config in settings.providers]
        page_csp = PAGE_CSP.replace("form-action 'self'", " ".join(["form-action 'self'", *dict.fromkeys(origins)]))
        common = {**COMMON_HEADERS, "Cache-Control": "no-store"}
        if settings.is_https:
            common["Strict-Transport-Security"] = HSTS
        # What a document may use; what is no document uses nothing, and answers of the API would be twice as long.
        of_pages = {"Permissions-Policy": PERMISSIONS_POLICY, "Content-Security-Policy": page_csp}
        self._of_pages = _lowered({**common, **of_pages})
        self._of_data = _lowered({**common, "Content-Security-Policy": DATA_CSP})

    def added_to(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers of an answer with those that it lacks."""
        given = {name.lower(): value for name, value in headers}
        is_page = given.get("content-type", "").startswith("text/html")
        wanted = self._of_pages if is_page else self._of_data
        missing = [(name, value) for key, name, value in wanted if key not in given]
        return [*(header for header in headers if header[0] != "X-Powered-By"), *missing]


def install_headers(app: Flask) -> None:
    """Have every page say what it differs by. The rest stands in SafeHeaders."""

    @app.after_request
    def vary(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.vary.update(["Cookie", "Accept-Language"])
        return response


def _lowered(headers: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name.lower(), name, value) for name, value in headers.items()]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def hide_path_from_referrers(response: Response) -> Response:
    """For a page whose address holds a token: neither our own pages nor others learn that address."""
    response.headers["Referrer-Policy"] = TOKEN_PAGE_REFERRER_POLICY
    return response
