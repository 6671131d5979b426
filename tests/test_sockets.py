"""The tests reach nothing but this machine."""

import socket

import pytest

from tests.loopback_only import OutsideConnection

# TEST-NET-1 and the documentation prefix of IPv6: addresses that belong to nobody (RFC 5737, RFC 3849).
ELSEWHERE = [(socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET6, ("2001:db8::1", 80))]


@pytest.mark.parametrize(("family", "address"), ELSEWHERE)
def test_a_connection_to_another_machine_is_refused(family: socket.AddressFamily, address: tuple[str, int]) -> None:
    with socket.socket(family) as outside, pytest.raises(OutsideConnection):
        outside.connect(address)


def test_a_datagram_to_another_machine_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside, pytest.raises(OutsideConnection):
        outside.sendto(b"hello", ("192.0.2.1", 53))


def test_a_name_of_another_machine_is_not_looked_up() -> None:
    with pytest.raises(OutsideConnection):
        socket.create_connection(("example.com", 80))


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        assert client.getpeername() == server.getsockname()
