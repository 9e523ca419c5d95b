"""Ports of instances: one each, and none that somebody listens on."""

import socket

import pytest

from gpupipe.localcloud.runner.ports import Ports


def test_a_port_is_given_once_until_it_comes_back() -> None:
    first = Ports().take()
    ports = Ports(first, first)
    assert ports.take() == first
    with pytest.raises(OSError, match="no free port"):
        ports.take()
    ports.give_back(first)
    assert ports.take() == first


def test_a_port_that_somebody_listens_on_is_left_alone() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match="no free port"):
            Ports(port, port).take()


def test_ports_are_not_those_that_systems_give_away() -> None:
    assert 20_000 <= Ports().take() < 32_768
