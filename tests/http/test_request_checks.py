"""What a request may look like."""

from io import BytesIO

import pytest
from flask import request

from tests.http.small_app import HTTPS, PUBLIC, small_app
from webapp.http.request_checks import MAX_BODY

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def app():
    return small_app()


@pytest.fixture
def client(app):
    """Posts whose token is not at issue."""
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client()


def post(client, body, content_type=FORM, **options):
    return client.post("/form", data=body, content_type=content_type, **options)


def test_an_ordinary_form_comes_through_whole(client):
    body = "name=%EA%B9%80+%F0%9F%98%80&password=+a%26b%3D%E2%80%8B%0D%0A%09+&empty="
    assert post(client, body).json == {"name": "김 😀", "password": " a&b=\u200b\r\n\t ", "empty": ""}


@pytest.mark.asvs("1.3.3")
@pytest.mark.parametrize(
    "body",
    [
        b"name=a%00b",
        b"name=a\x00b",
        b"na%00me=a",
        b"name=%ff%fe",
        b"name=\xff\xfe",
        b"name=%c0%80",
        b"name=%ed%a0%80",
        b"name=%ed%b0%80x",
        b"name=\xed\xa0\xbd",
        b"name=%1b[31m",
        b"name=%07",
        b"name=%c2%85",
        b"na%0ame=a",
        b"%f0%9f%98",
    ],
)
def test_bytes_that_are_no_text_are_refused_before_the_view(client, body):
    answer = post(client, body)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text
    assert "<h1>" in answer.text


MULTIPART = "multipart/form-data; boundary=x"


def multipart(*parts):
    return b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--x--\r\n"


def test_a_multipart_form_comes_through_too(client):
    body = multipart(b'name="name"\r\n\r\n' + "김".encode())
    assert post(client, body, MULTIPART).json == {"name": "김"}


@pytest.mark.asvs("1.3.3")
@pytest.mark.parametrize(
    "part",
    [
        b'name="name"\r\n\r\n\xff',
        b'name="name"\r\n\r\na\x00b',
        b'name="upload"; filename="x.txt"\r\n\r\nhello',
        b'name="name"\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n\xc2\x85',
        b"\r\n\r\nof no name",
    ],
)
def test_a_multipart_form_with_files_or_unreadable_text_is_refused(client, part):
    assert post(client, multipart(part), MULTIPART).status_code == 400


@pytest.mark.asvs("1.3.3")
@pytest.mark.parametrize("path", ["/a%00b", "/a%0d%0ab", "/form?a=%00", "/form?a=%ff", "/form?%0a=b"])
def test_an_address_that_is_no_text_is_refused(client, path):
    answer = client.get(path)
    assert answer.status_code == 400
    assert "<h1>" in answer.text


@pytest.mark.parametrize("path", ["/\xff", "/\xed\xa0\x80", "/\xc0\xaf", "/\xc2\x85"])
def test_a_path_of_wild_bytes_is_refused(client, path):
    assert client.get("/", environ_overrides={"PATH_INFO": path}).status_code == 400


@pytest.mark.parametrize("raw", ["\xff", "a\x00b", "\xed\xa0\x80", "a\x1bb", "\xc2\x85"])
@pytest.mark.parametrize(
    "name", ["HTTP_COOKIE", "HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_ACCEPT_LANGUAGE", "HTTP_X_ANY"]
)
def test_a_header_that_is_no_text_is_refused(app, name, raw):
    client = app.test_client(use_cookies=False)
    assert client.get("/seen", environ_overrides={name: f"session={raw}"}).status_code == 400


def test_a_cookie_that_spells_a_control_character_as_a_number_is_refused(app):
    client = app.test_client(use_cookies=False)
    assert client.get("/seen", headers={"Cookie": 'device="a\\000b"'}).status_code == 400
    assert client.get("/seen", headers={"Cookie": 'device="a\\101b"'}).status_code == 200


def test_headers_in_other_scripts_are_fine(client):
    agent = "Browser/1 (한국어)".encode().decode("latin-1")
    assert client.get("/seen", environ_overrides={"HTTP_USER_AGENT": agent}).status_code == 200


@pytest.mark.asvs("15.2.2")
def test_a_form_of_ten_megabytes_is_refused_without_being_read_into_memory(client):
    answer = post(client, b"name=" + b"a" * 10_000_000)
    assert answer.status_code == 413
    assert "<h1>" in answer.text


@pytest.mark.asvs("15.2.2")
def test_the_limit_holds_for_what_comes_in_pieces_without_a_length(client):
    body = b"name=" + b"a" * MAX_BODY
    options = {"environ_overrides": {"wsgi.input_terminated": True}, "headers": {"Transfer-Encoding": "chunked"}}
    with BytesIO(body) as stream:
        answer = client.post("/form", input_stream=stream, content_type=FORM, **options)
    assert answer.status_code == 413


@pytest.mark.asvs("15.2.2")
@pytest.mark.parametrize("body", [b"&".join(b"f%d=1" % n for n in range(101)), b"&" * 200 + b"a=1"])
def test_a_form_of_very_many_fields_is_refused(client, body):
    assert post(client, body).status_code == 413


class BrokenChunks:
    """What gunicorn gives to read where a chunk has no length."""

    def read(self, size=-1):
        raise RuntimeError("Invalid chunk size: b'zz'")


@pytest.mark.asvs("4.2.1")
def test_a_body_in_broken_pieces_is_refused(client):
    options = {"wsgi.input": BrokenChunks(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert client.post("/form", content_type=FORM, environ_overrides=options).status_code == 400


def test_a_get_with_a_huge_body_is_refused(client):
    assert client.get("/form", data=b"a" * (MAX_BODY + 1)).status_code == 413


@pytest.mark.asvs("4.2.1")
@pytest.mark.parametrize("terminated", [{}, {"wsgi.input_terminated": True}])
def test_a_body_that_breaks_off_is_refused(client, terminated):
    length = {"CONTENT_LENGTH": "500", **terminated}
    with BytesIO(b"name=ab") as stream:
        answer = client.post("/form", input_stream=stream, content_type=FORM, environ_overrides=length)
    assert answer.status_code == 400


@pytest.mark.asvs("1.5.3")
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "", "application/xml", f"{FORM}; charset=utf-16", f"{FORM}; charset=iso-8859-1"],
)
def test_a_form_is_sent_as_a_form(client, content_type):
    assert post(client, b"name=a", content_type).status_code == 415


def test_a_compressed_form_is_refused(client):
    assert post(client, b"name=a", headers={"Content-Encoding": "gzip"}).status_code == 415


def test_what_a_machine_sends_that_is_no_form_has_one_path_and_one_type(app, client):
    app.add_url_rule("/google/risc", "risc", lambda: request.get_data(as_text=True), methods=["POST"])
    event_type = "application/secevent+jwt"
    assert client.post("/google/risc", data="a.b.c", content_type=event_type).text == "a.b.c"
    assert client.post("/google/risc", data="a.b.c", content_type="application/jwt").status_code == 415
    assert client.post("/google/risc", data="a" * (MAX_BODY + 1), content_type=event_type).status_code == 413
    assert post(client, "a.b.c", event_type).status_code == 415


def test_utf_8_may_be_said_aloud(client):
    assert post(client, b"name=a", f"{FORM}; charset=UTF-8").json == {"name": "a"}


@pytest.mark.asvs("15.3.7")
@pytest.mark.parametrize("body", ["email=a&email=b", "email=a&%65mail=b", "a=1&email=&email="])
def test_a_field_that_comes_twice_is_refused(client, body):
    assert post(client, body).status_code == 400


@pytest.mark.asvs("15.3.7")
def test_an_argument_that_comes_twice_is_refused(client):
    assert client.get("/form?next=/a&next=/b").status_code == 400
    assert client.get("/form?a=1&b=1").status_code == 200


@pytest.mark.asvs("4.1.4", "13.4.4")
@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "MADEUP"])
@pytest.mark.parametrize("path", ["/", "/form", "/nothing", "/static/css/site.css"])
def test_methods_that_nobody_uses_are_refused_everywhere(client, path, method):
    answer = client.open(path, method="GET", environ_overrides={"REQUEST_METHOD": method}, headers={"X-Secret": "seen"})
    assert answer.status_code == 405
    assert "seen" not in answer.text


@pytest.mark.asvs("4.1.4")
@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/", "POST", "GET HEAD OPTIONS"),
        ("/form", "PUT", "GET HEAD OPTIONS POST"),
        ("/form", "TRACE", "GET HEAD OPTIONS POST"),
    ],
)
def test_a_method_that_a_page_does_not_take_is_refused_with_those_it_takes(client, path, method, allowed):
    answer = client.open(path, method=method, data="a=b")
    assert answer.status_code == 405
    assert sorted(answer.allow) == allowed.split()


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_changes_the_method(client, header):
    assert "<form>" in client.get("/form", headers={header: "POST"}).text


@pytest.mark.parametrize(
    "host", ["evil.example", "login.example.com.evil.example", "login.example.com@evil.example", "a b", "10.0.0.7", ""]
)
def test_a_foreign_host_is_refused_with_a_page_of_ours(host):
    answer = small_app(**HTTPS).test_client().get("/form", headers={"Host": host})
    assert answer.status_code == 400
    assert "<h1>" in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["login.example.com", "login.example.com:443", "login.example.com:8443"])
def test_the_public_host_is_served(host):
    assert small_app(**HTTPS).test_client().get("/form", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000"])
def test_this_machine_is_served(host):
    assert small_app(**HTTPS).test_client().get("/form", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_asked_for_by_address(path):
    app = small_app(**HTTPS)
    app.add_url_rule(path, "health", lambda: "well")
    assert app.test_client().get(path, headers={"Host": "10.0.0.7:8000"}).text == "well"


def test_a_refused_request_gives_the_page_in_the_asked_language(client):
    assert client.get("/form?a=%00", headers={"Accept-Language": "ko"}).text.count('lang="ko"') >= 1
    assert small_app(**HTTPS).test_client().get("/", base_url=PUBLIC).status_code == 200
