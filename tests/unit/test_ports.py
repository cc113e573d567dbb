"""Ports that are free, and a socket on one."""

import socket

import pytest

from fastkf.base import clock
from fastkf.base.ports import PortError, bind, free_ports, is_free, url_of


def test_free_ports_differ():
    assert len(set(free_ports(20))) == 20


def test_a_port_is_free_until_something_listens_on_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(PortError, match=rf"127\.0\.0\.1:{port}: cannot listen there") as error:
            bind("127.0.0.1", port)
        assert "choose another --port" in error.value.remedy
    assert is_free(port)


def test_a_port_on_a_name_that_is_not_this_machines():
    with pytest.raises(PortError, match=r"no\.such\.host\.invalid:0: cannot listen there"):
        bind("no.such.host.invalid", 0)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".com", "ü" * 64, "192.0.2.1"])
def test_a_port_on_what_is_no_name_or_another_machines_address(host):
    with pytest.raises(PortError, match="cannot listen there") as error:
        bind(host, 0)
    assert "a name of this machine" in error.value.remedy


def test_a_bound_socket_does_not_listen_yet():
    with bind("127.0.0.1", 0) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.getsockname(), timeout=5)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}"),
        ("::1", "http://[::1]:{}"),
        ("0.0.0.0", "http://127.0.0.1:{}"),
        ("::", "http://[::1]:{}"),
    ],
)
def test_the_address_of_a_socket_is_one_for_a_browser_here(host, url):
    with bind(host, 0) as listener:
        assert url_of(listener) == url.format(listener.getsockname()[1])


def test_time_is_written_as_kubernetes_writes_it():
    moment = clock.datetime(2026, 11, 24, 12, 40, 51, 204999, tzinfo=clock.UTC)
    assert clock.format_utc(moment) == "2026-11-24T12:40:51.204Z"
    assert clock.format_utc(moment.astimezone(), "seconds") == "2026-11-24T12:40:51Z"
    assert clock.now().tzinfo is clock.UTC
