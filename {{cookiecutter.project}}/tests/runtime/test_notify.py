"""The messages to systemd."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from .process import PATIENCE, short_folder


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(PATIENCE)
        yield sock


def test_message_is_sent(service: ModuleType, manager: socket.socket) -> None:
    service.notify.Notifier(manager.getsockname()).send("READY=1", "STATUS=ü")
    assert manager.recv(1000) == "READY=1\nSTATUS=ü".encode()


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="needs Linux")
def test_address_without_a_file(service: ModuleType) -> None:
    name = f"cookiecutter-quadrant-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        service.notify.Notifier(f"@{name}").send("READY=1")
        sock.settimeout(PATIENCE)
        assert sock.recv(1000) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:2:3", "/nowhere/notify"])
def test_manager_that_cannot_be_told_is_no_error(service: ModuleType, address: str) -> None:
    service.notify.Notifier(address).send("READY=1")


@pytest.mark.parametrize(
    ("pid", "microseconds", "seconds"),
    [
        ("ours", "30000000", 30),
        ("", "500000", 0.5),
        ("1", "30000000", 0),
        ("", "often", 0),
        ("", "", 0),
    ],
)
def test_watchdog_is_for_the_process_it_names(
    service: ModuleType, pid: str, microseconds: str, seconds: float
) -> None:
    pid = str(os.getpid()) if pid == "ours" else pid
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid, "A": "b"}
    assert service.notify.from_systemd(environ).watchdog_seconds == seconds
    assert environ == {"A": "b"}
