"""What systemd is told of a service."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from .process import PATIENCE, short_folder
from .program import Program

Start = Callable[..., Program]


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(PATIENCE)
        yield sock


def test_signs_of_life_are_repeated(service: ModuleType, manager: socket.socket) -> None:
    notifier = service.notify.Notifier(manager.getsockname(), 0.02)

    async def live() -> None:
        task = asyncio.create_task(service.server.stay_alive(notifier))
        for _ in range(3):
            assert await asyncio.to_thread(manager.recv, 1000) == b"WATCHDOG=1"
        task.cancel()

    asyncio.run(live())


def test_life_of_a_service(
    start: Start, manager: socket.socket, monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", str(60_000_000))
    program = start("serve", listener=listener)
    assert manager.recv(1000) == b"READY=1\nSTATUS=accepting"
    assert program.get_at(listener.getsockname(), "/readyz") == 200
    assert manager.recv(1000) == b"WATCHDOG=1"
    program.terminate()
    assert manager.recv(1000) == b"STOPPING=1\nSTATUS=stopping"
    assert program.ended() == 0
