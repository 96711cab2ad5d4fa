"""`NAME-admin run`: the command line that runs a command as the service runs."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from host import cli, foreground, installation
from host.errors import HostError
from host.installation import Installation
from host.place import Place
from host.release import KINDS
from host.systemd import Systemd
from host.units import Units

from .test_units import Below, text


class Managing(Systemd):
    """A systemd that runs or not, and has drop-ins."""

    def __init__(self, place: Place, *drop_ins: Path, there: bool = True) -> None:
        super().__init__(place)
        self._drop_ins = " ".join(map(str, drop_ins))
        self._there = there

    def runs(self) -> bool:
        return self._there

    def property(self, unit: str, name: str) -> str:
        return self._drop_ins if (unit, name) == ("demo.service", "DropInPaths") else ""


class OfUser(Below):
    """A place that a user's own systemd serves."""

    @property
    def of_user(self) -> bool:
        return True


def installed(place: Place, systemd: Systemd) -> Installation:
    """Return an installation whose release 2 is active."""
    host = place.releases / "2/host"
    host.mkdir(parents=True)
    for unit in ("service", "user.service"):
        (host / f"demo.{unit}").write_text(text(), encoding="utf-8")
    place.current.symlink_to("releases/2")
    this = installation.of(place, KINDS["service"], print)
    return replace(this, systemd=systemd, units=Units(place, this.disk, systemd))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Below("demo", tmp_path / "a b%c", os.geteuid(), tmp_path)


def properties(command: list[str]) -> list[str]:
    return [word.removeprefix("--property=") for word in command if word.startswith("--property=")]


def test_it_runs_as_the_service_does(place: Place) -> None:
    systemd = Managing(place, place.home / "more.conf")
    (place.home / "more.conf").write_text("[Service]\nEnvironment=A=b\nTimeoutStopSec=9\n")
    command = foreground.command_line(installed(place, systemd), ["manage", "--help", "--", "%c"])
    found = properties(command)
    for line in ("User=demo", f"EnvironmentFile=-{place.prefix}/etc/demo/secrets.env",
                 f'Environment="STATE_DIRECTORY={place.prefix}/var/lib/demo"', "UMask=0077",
                 "SystemCallFilter=~@privileged @resources", "Environment=A=b"):  # fmt: skip
        assert line in found
    of_services = ("Exec", "Type", "Restart", "Timeout", "NonBlocking", "NotifyAccess", "Watchdog")
    assert not [line for line in found if line.startswith(of_services)]
    program = f"{place.prefix}/opt/demo/current/bin/demo"
    assert command[-6:] == ["--", program, "manage", "--help", "--", "%c"]
    assert command[0] == "systemd-run"
    assert "--user" not in command


def test_a_users_own_systemd_runs_it(tmp_path: Path) -> None:
    place = OfUser("demo", tmp_path / "p", os.geteuid(), tmp_path)
    assert "--user" in foreground.command_line(installed(place, Managing(place)), [])


def test_the_engine_becomes_the_command(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[Any] = []
    monkeypatch.setattr(os, "execvpe", lambda *given: became.append(given))
    monkeypatch.setenv("TERM", "vt100")
    foreground.run(installed(place, Managing(place)), ["version"])
    [(name, command, environment)] = became
    assert name == command[0] == "systemd-run"
    assert command[-1] == "version"
    assert environment["TERM"] == "vt100"
    assert "PYTEST_CURRENT_TEST" not in environment


def test_no_systemd_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    this = installed(place, Managing(place))
    monkeypatch.setattr(foreground, "_SYSTEMD_RUN", ("/nonexistent/systemd-run",))
    with pytest.raises(HostError, match=r"^/nonexistent/systemd-run: No such file or directory$"):
        foreground.run(this, [])


def test_what_cannot_be_run_is_refused(place: Place) -> None:
    empty = installation.of(place, KINDS["service"], print)
    with pytest.raises(HostError, match=r"^nothing is installed in /.*/opt/demo$"):
        foreground.run(empty, [])
    this = installed(place, Managing(place, there=False))
    with pytest.raises(HostError, match=r"^there is no systemd here: start /.*/current/bin/demo$"):
        foreground.run(this, [])
    command = replace(this, kind=KINDS["cli"])
    with pytest.raises(HostError, match=r"^it is a command: start /.*/current/bin/demo$"):
        foreground.run(command, [])
    with pytest.raises(HostError, match=r"^changing /.*/opt/demo needs root: run it with sudo$"):
        foreground.run(replace(this, place=replace(place, uid=12345)), [])


def test_all_words_are_the_commands() -> None:
    words = ["manage", "--json", "--prefix", "x", "-h", "--", "y"]
    assert cli._parser("demo").parse_args(["run", *words]).words == words
