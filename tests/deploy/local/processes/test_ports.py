"""Ports that are handed out to one stack and to no other."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.processes.ports import HOST, Ports, given_to_anybody_from

ROOT = Path(__file__).parents[4]


@pytest.fixture
def ports() -> Iterator[Ports]:
    made = Ports()
    yield made
    made.release()


def a_free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def test_a_free_port_is_taken_as_asked(ports: Ports) -> None:
    wanted = a_free_port()
    assert ports.take(wanted) == wanted


def test_a_port_in_use_is_replaced(ports: Ports) -> None:
    with socket.socket() as used:
        used.bind((HOST, 0))
        used.listen()
        wanted = int(used.getsockname()[1])
        assert ports.take(wanted) not in {wanted, 0}


def test_no_port_is_handed_out_twice(ports: Ports) -> None:
    wanted = a_free_port()
    assert len({ports.take(wanted) for _ in range(5)}) == 5


def test_another_supervisor_gets_another_port_until_ours_is_gone(ports: Ports) -> None:
    wanted = a_free_port()
    code = f"from deploy.local.processes.ports import Ports; print(Ports().take({wanted}))"
    elsewhere = [sys.executable, "-c", code]
    assert ports.take(wanted) == wanted
    beside = subprocess.run(elsewhere, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(beside.stdout) != wanted
    ports.release()
    after = subprocess.run(elsewhere, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(after.stdout) == wanted


def test_what_is_chosen_the_kernel_gives_to_nobody_meanwhile(ports: Ports) -> None:
    """A connection of somebody else's took a port between its choice and its use."""
    chosen = [ports.take(0) for _ in range(40)]
    assert max(chosen) < given_to_anybody_from()
    assert len(set(chosen)) == 40
