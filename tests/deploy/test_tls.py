"""What somebody meets who comes over TLS, HTTP/2 or neither: the deployed Caddyfile, in front of a site."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, Event, ResponseReceived, StreamReset

from tests.deploy.caddy import Caddy
from tests.people import PASSWORD
from tests.servers.fixtures import NewSite

_V10, _V11, _V12, _V13 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
ANY_CIPHER = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def caddy(new_site: NewSite) -> Iterator[Caddy]:
    """In front of a site whose PUBLIC_URL has https."""
    front = Caddy(tls=True)
    with ExitStack() as stack:
        stack.callback(front.close)
        site = new_site(PUBLIC_URL=front.url, TRUSTED_PROXIES="1")
        stack.callback(site.stop)
        front.start([site.url.removeprefix("http://")])
        yield front


def connected(caddy: Caddy, context: ssl.SSLContext, name: str = "localhost") -> ssl.SSLSocket:
    line = socket.create_connection(("127.0.0.1", caddy.port), timeout=60)
    try:
        return context.wrap_socket(line, server_hostname=name)
    except BaseException:
        line.close()
        raise


def visitor(caddy: Caddy, *protocols: str) -> ssl.SSLContext:
    """As a browser that trusts the proxy's authority."""
    context = ssl.create_default_context(cafile=caddy.authority)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def old_visitor(caddy: Caddy, *, least: ssl.TLSVersion, most: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
    """Somebody who takes what nobody should any more."""
    context = visitor(caddy)
    context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = least, most
    return context


def speaks(caddy: Caddy, version: ssl.TLSVersion, ciphers: str = ANY_CIPHER) -> str:
    """The suite that they agree on; "" when they do not."""
    try:
        with connected(caddy, old_visitor(caddy, least=version, most=version, ciphers=ciphers)) as line:
            suite = line.cipher()
            assert suite is not None
            return suite[0]
    except (ssl.SSLError, ConnectionResetError):
        return ""


@pytest.mark.asvs("12.1.1")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_versions_of_tls_are_not_spoken_and_the_newest_is_chosen(caddy: Caddy) -> None:
    assert [bool(speaks(caddy, version)) for version in (_V10, _V11, _V12, _V13)] == [False, False, True, True]
    with connected(caddy, old_visitor(caddy, least=_V10, most=_V13, ciphers=ANY_CIPHER)) as line:
        assert line.version() == "TLSv1.3"


def test_every_suite_is_authenticated_encryption_with_forward_secrecy(caddy: Caddy) -> None:
    every = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    every.set_ciphers(ANY_CIPHER)
    suites = [suite["name"] for suite in every.get_ciphers() if suite["protocol"] != "TLSv1.3"]
    spoken = {suite for suite in suites if speaks(caddy, _V12, f"{suite}:@SECLEVEL=0")}
    assert spoken
    assert all(suite.startswith("ECDHE-") for suite in spoken), spoken
    assert all("GCM" in suite or "CHACHA20" in suite for suite in spoken), spoken
    assert len(spoken) < len(suites)


def test_the_certificate_is_for_the_name_of_the_site_only(caddy: Caddy) -> None:
    connected(caddy, visitor(caddy)).close()
    with pytest.raises(ssl.SSLError):
        connected(caddy, visitor(caddy), "other.example.com").close()


@pytest.mark.asvs("4.1.2")
def test_who_comes_without_tls_is_led_to_it_but_nothing_that_was_sent_in_clear_works(caddy: Caddy) -> None:
    assert plainly(caddy, "GET", "/login") == (308, f"{caddy.url}/login")
    assert plainly(caddy, "POST", "/login", f"email=a@example.com&password={PASSWORD}") == (403, "")
    assert plainly(caddy, "POST", "/api/v1/auth/login", "{}") == (403, "")
    assert plainly(caddy, "GET", "/api/v1/me") == (403, "")


def plainly(caddy: Caddy, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", caddy.plain_port, timeout=60)
    try:
        connection.request(method, path, body, {"Host": "localhost", **FORM})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", "")
    finally:
        connection.close()


def over_http2(caddy: Caddy, *headers: tuple[str, str], method: str = "GET") -> Event:
    """How the proxy answers a request with these headers, sent as they are."""
    careless = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    connection = H2Connection(careless)
    asked = [(":method", method), (":path", "/healthz"), (":authority", "localhost"), (":scheme", "https"), *headers]
    with connected(caddy, visitor(caddy, "h2")) as line:
        assert line.selected_alpn_protocol() == "h2"
        connection.initiate_connection()
        connection.send_headers(1, asked, end_stream=True)
        line.sendall(connection.data_to_send())
        while received := line.recv(65536):
            for event in connection.receive_data(received):
                if isinstance(event, ResponseReceived | StreamReset | ConnectionTerminated):
                    return event
            line.sendall(connection.data_to_send())
    raise AssertionError("no answer")


def told(event: Event) -> dict[bytes, bytes]:
    assert isinstance(event, ResponseReceived), event
    return {bytes(name): bytes(value) for name, value in event.headers}


@pytest.mark.asvs("4.2.3")
@pytest.mark.parametrize("header", ["connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection"])
def test_what_belongs_to_one_line_has_no_place_in_http2(caddy: Caddy, header: str) -> None:
    answer = over_http2(caddy, (header, "chunked" if header == "transfer-encoding" else "close"))
    assert isinstance(answer, StreamReset) or told(answer)[b":status"] == b"400"
    sound = told(over_http2(caddy))
    assert sound[b":status"] == b"200"
    assert header.encode() not in sound


@pytest.mark.asvs("4.2.4")
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\0"])
def test_no_header_of_http2_holds_the_end_of_a_line(caddy: Caddy, end: str) -> None:
    answer = over_http2(caddy, ("x-note", f"a{end}x-forwarded-proto: http"))
    assert isinstance(answer, StreamReset | ConnectionTerminated) or told(answer)[b":status"] == b"400"
