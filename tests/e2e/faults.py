"""What goes wrong around an installation: releases that fail on order, and a bad systemctl."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from .machine import Machine, Result
from .releases import NAME
from .service import BASE

ADMIN = f"{NAME}-admin"
STAND_IN = "/usr/local/sbin/systemctl"
"""Where the engine looks for systemctl first, whatever PATH it is called with."""


def order(machine: Machine, **orders: str) -> None:
    """Tell versions what to do, by their number without dots, such as ``v060="die"``."""
    given = {".".join(version[1:]): what for version, what in orders.items()}
    path = machine.path(f"/var/lib/{NAME}/orders")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(given), encoding="utf-8")
    path.chmod(0o644)


@contextmanager
def instead_of_systemctl(machine: Machine, script: str) -> Iterator[None]:
    """Put a shell script first on the engine's PATH; where it does not exit, the real one runs."""
    path = machine.path(STAND_IN)
    path.write_text(f'#!/bin/sh\n{script}\nexec /usr/bin/systemctl "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink()


def activate(machine: Machine, tree: str, *options: str, seconds: float = 60) -> Result:
    """Have the installed engine activate a tree of the machine, which may be older."""
    command = (ADMIN, "activate", tree, "--allow-downgrade", *options)
    return machine.run(*command, check=False, seconds=seconds)


def names(machine: Machine, folder: str = f"{BASE}/releases") -> list[str]:
    """Return the names in a folder of the machine."""
    path = machine.path(folder)
    return sorted(each.name for each in path.iterdir()) if path.is_dir() else []


def events(machine: Machine) -> list[dict[str, str]]:
    """Return the events in the engine's history."""
    lines = machine.read(f"{BASE}/.engine/history").splitlines()
    return [json.loads(line) for line in lines]
