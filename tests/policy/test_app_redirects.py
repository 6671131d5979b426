"""Where an app may be sent back to: letter by letter to what is listed, but for the port of a loopback address."""

import pytest

from webapp.policy.authorization import is_allowed_redirect

WEB, WITH_QUERY = "https://app.example.com/callback", "https://app.example.com/callback?from=login"
CUSTOM, BARE = "com.example.app:/callback", "com.example.bare://callback"
LOOPBACK, LOOPBACK_6 = "http://127.0.0.1/callback", "http://[::1]/callback"
FIXED = "http://127.0.0.1:3000/fixed"
LOCALHOST = "http://localhost:5173/callback"
LISTED = (WEB, WITH_QUERY, CUSTOM, BARE, LOOPBACK, LOOPBACK_6, FIXED, LOCALHOST)

ALLOWED = [
    *LISTED,
    # RFC 8252, section 7.3: the system chooses the port of whoever listens on loopback.
    "http://127.0.0.1:1/callback",
    "http://127.0.0.1:49152/callback",
    "http://127.0.0.1:65535/callback",
    "http://[::1]:49152/callback",
]
REFUSED = {
    "nothing": "",
    "another site": "https://evil.example/callback",
    "a subdomain": "https://a.app.example.com/callback",
    "a longer name": "https://app.example.com.evil.example/callback",
    "a name that ends alike": "https://evilapp.example.com/callback",
    "the dot at the end of the name": "https://app.example.com./callback",
    "plain http": "http://app.example.com/callback",
    "a port where none is listed": "https://app.example.com:8443/callback",
    "the usual port written out": "https://app.example.com:443/callback",
    "a port for a scheme of an app": "com.example.bare://callback:49152",
    "another path": "https://app.example.com/elsewhere",
    "a longer path": "https://app.example.com/callback/more",
    "a slash at the end": "https://app.example.com/callback/",
    "no path": "https://app.example.com",
    "two slashes": "https://app.example.com//callback",
    "a way up": "https://app.example.com/x/../callback",
    "an encoded letter": "https://app.example.com/%63allback",
    "an encoded slash": "https://app.example.com%2fcallback",
    "a query": "https://app.example.com/callback?next=https://evil.example",
    "another query": "https://app.example.com/callback?from=elsewhere",
    "a fragment": "https://app.example.com/callback#",
    "capitals in the scheme": "HTTPS://app.example.com/callback",
    "capitals in the name": "https://APP.example.com/callback",
    "capitals in the path": "https://app.example.com/Callback",
    "a user": "https://app.example.com@evil.example/callback",
    "a user with a password": "https://app.example.com:443@evil.example/callback",
    "a user before the listed name": "https://evil@app.example.com/callback",
    "a backslash": "https://app.example.com\\@evil.example/callback",
    "a space before": " https://app.example.com/callback",
    "a line break after": "https://app.example.com/callback\n",
    "a tab within": "https://app.example.com/call\tback",
    "NUL after": "https://app.example.com/callback\x00",
    "a wildcard": "https://*.example.com/callback",
    "no scheme": "//app.example.com/callback",
    "a script": "javascript:alert(1)//https://app.example.com/callback",
    "a page in the address": "data:text/html,x",
    "a scheme of an app in capitals": "COM.EXAMPLE.APP:/callback",
    "a scheme of an app with another path": "com.example.app:/other",
    "a scheme of an app with slashes": "com.example.app:///callback",
    "a scheme of another app": "com.example.app2:/callback",
    "localhost without its port": "http://localhost/callback",
    "localhost with another port": "http://localhost:49152/callback",
    "localhost in place of the address": "http://localhost:49152/callback",
    "a listed port replaced": "http://127.0.0.1:3001/fixed",
    "a listed port left out": "http://127.0.0.1/fixed",
    "loopback with https": "https://127.0.0.1:49152/callback",
    "loopback with another path": "http://127.0.0.1:49152/callback/",
    "loopback with a query": "http://127.0.0.1:49152/callback?x=1",
    "loopback with a fragment": "http://127.0.0.1:49152/callback#x",
    "loopback with an empty port": "http://127.0.0.1:/callback",
    "loopback with a port that is none": "http://127.0.0.1:65536/callback",
    "loopback with a port below all": "http://127.0.0.1:-1/callback",
    "loopback with a port in words": "http://127.0.0.1:http/callback",
    "loopback with a port of another script": "http://127.0.0.1:٤٩/callback",
    "loopback with a nought before the port": "http://127.0.0.1:080/callback",
    "loopback with a sign before the port": "http://127.0.0.1:+80/callback",
    "loopback with two ports": "http://127.0.0.1:80:81/callback",
    "loopback with a user": "http://x@127.0.0.1:49152/callback",
    "loopback as a user": "http://127.0.0.1:49152@evil.example/callback",
    "loopback as the beginning of a name": "http://127.0.0.1.evil.example:49152/callback",
    "loopback in capitals": "HTTP://127.0.0.1:49152/callback",
    "loopback, the port in the path": "http://127.0.0.1/callback:49152",
    "loopback in short": "http://127.1:49152/callback",
    "loopback as a number": "http://2130706433:49152/callback",
    "loopback in octal": "http://0177.0.0.1:49152/callback",
    "another loopback address": "http://127.0.0.2:49152/callback",
    "every address of this machine": "http://0.0.0.0:49152/callback",
    "loopback of IPv6 at length": "http://[0:0:0:0:0:0:0:1]:49152/callback",
    "loopback of IPv6 with a zone": "http://[::1%25lo]:49152/callback",
    "loopback of IPv6, mapped": "http://[::ffff:127.0.0.1]:49152/callback",
    "a bracket that nobody closes": "http://[::1:49152/callback",
}


@pytest.mark.parametrize("uri", ALLOWED)
def test_an_app_is_sent_back_to_what_is_listed(uri: str) -> None:
    assert is_allowed_redirect(uri, LISTED)


@pytest.mark.parametrize("name", REFUSED)
def test_an_app_is_sent_back_nowhere_else(name: str) -> None:
    assert not is_allowed_redirect(REFUSED[name], LISTED)


def test_nobody_is_sent_anywhere_where_nothing_is_listed() -> None:
    assert not [uri for uri in ALLOWED if is_allowed_redirect(uri, ())]
