"""Releases of a command: installed for real below a folder, with no service, user or settings."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from host import account, activate, installation, release, status, uninstall
from host.activate import Request
from host.errors import HostError, Misuse
from host.installation import Installation
from host.place import Place

MAN = "share/man/man1/demo.1"
COMPLETION = "share/bash-completion/completions/demo"


class ElsewherePlace(Place):
    """A place with units below its own prefix, so that no test can touch the machine's."""

    @property
    def units(self) -> Path:
        return Path(str(self.prefix), "units")


class Command:
    """The installation of a command, and what it has said."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "prefix"
        self.prefix.mkdir()
        self.said: list[str] = []
        place = ElsewherePlace("demo", self.prefix, os.geteuid(), folder)
        self.this: Installation = installation.of(place, release.KINDS["cli"], self.said.append)

    def version(self) -> str:
        return (self.prefix / "opt/demo/current").readlink().name

    def links(self) -> set[str]:
        found = (path for path in self.prefix.rglob("*") if path.is_symlink())
        names = {path.relative_to(self.prefix).as_posix() for path in found}
        return names - {"opt/demo/current"}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def made(folder: Path, version: str, *shared: str, kind: str = "cli", says: str = "") -> Path:
    """Make a release tree; its command prints `says`, or its release id."""
    tree = folder / f"tree-{version}"
    facts = {
        "name": "demo", "version": version, "release": f"{version}+abc", "rank": version,
        "user": "demo", "size_kb": 1, "machine": os.uname().machine, "glibc": "none",
        "kind": kind,
    }  # fmt: skip
    script = f'#!/bin/sh\n[ "$*" = --version ] && echo "{says or f"demo {version}+abc"}"\n'
    files = {"host/release.json": json.dumps(facts), "bin/demo": script, "bin/demo-admin": "x"}
    for name, text in (files | dict.fromkeys(shared, "text")).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.startswith("bin/") else 0o644)
    sums = {name: hashlib.sha256((tree / name).read_bytes()) for name in (*files, *shared)}
    lines = [f"{digest.hexdigest()}  {name}\n" for name, digest in sums.items()]
    (tree / "SHA256SUMS").write_text("".join(lines))
    return tree


def install(command: Command, tree: Path, request: Request | None = None) -> None:
    activate.tree(command.this, tree, request or Request())


def test_it_is_installed_with_its_help_and_nothing_else(command: Command, tmp_path: Path) -> None:
    install(command, made(tmp_path, "1.0", MAN, COMPLETION))
    assert command.links() == {"bin/demo", "bin/demo-admin", MAN, COMPLETION}
    assert (command.prefix / MAN).read_text() == "text"
    assert {path.name for path in command.prefix.iterdir()} == {"bin", "opt", "share"}
    assert "1.0 is installed and can be used" in command.said
    found = status.status(command.this)
    assert (found.service, found.trial, found.is_healthy) == ("none: it is a command", "", True)


def test_help_that_a_release_does_not_have_is_not_linked(command: Command, tmp_path: Path) -> None:
    install(command, made(tmp_path, "1.0", MAN))
    install(command, made(tmp_path, "1.1", COMPLETION))
    assert command.links() == {"bin/demo", "bin/demo-admin", COMPLETION}
    activate.rollback(command.this, "")
    assert command.links() == {"bin/demo", "bin/demo-admin", MAN}
    assert command.version() == "1.0"


def test_help_of_another_program_stays(command: Command, tmp_path: Path) -> None:
    other = command.prefix / MAN
    other.parent.mkdir(parents=True)
    other.write_text("another one")
    install(command, made(tmp_path, "1.0", MAN))
    install(command, made(tmp_path, "1.1"))
    uninstall.uninstall(command.this, "demo", purge=True)
    assert other.read_text() == "another one"


@pytest.mark.parametrize("says", ["demo 1.0+abc", "demo 1.1+abcd", "broken"])
def test_one_that_does_not_say_its_release_is_refused(
    command: Command, tmp_path: Path, says: str
) -> None:
    install(command, made(tmp_path, "1.0"))
    with pytest.raises(HostError) as refused:
        install(command, made(tmp_path, "1.1", says=says))
    said = f"'demo --version' says '{says}', expected 'demo 1.1+abc'"
    assert str(refused.value) == f"1.1 does not run here, nothing was changed: {said}"
    assert command.version() == "1.0"


def test_another_kind_is_refused(command: Command, tmp_path: Path) -> None:
    install(command, made(tmp_path, "1.0"))
    with pytest.raises(HostError, match=r"^1\.1 is of the kind 'service', but 1\.0, .* of 'cli': "):
        install(command, made(tmp_path, "1.1", kind="service"))
    assert command.version() == "1.0"


def test_settings_are_refused(command: Command, tmp_path: Path) -> None:
    request = Request(settings={"demo.env": b"A=1\n"})
    with pytest.raises(Misuse, match=r"^demo is a command and has no settings: leave out"):
        install(command, made(tmp_path, "1.0"), request)
    install(command, made(tmp_path, "1.0"))
    with pytest.raises(Misuse, match=r"^demo is a command and has no settings: leave out"):
        activate.installed(command.this, "1.0", request)


def test_what_belongs_to_a_service_of_the_same_name_stays(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    monkeypatch.setattr(account, "remove_user", removed.append)
    others = [command.prefix / name for name in ("units/demo.service", "var/lib/demo/data")]
    for path in others:
        path.parent.mkdir(parents=True)
        path.touch()
    install(command, made(tmp_path, "1.0", MAN))
    uninstall.uninstall(command.this, "demo", purge=True)
    assert removed == []
    assert all(path.exists() for path in others)
    assert command.links() == set()
    assert not (command.prefix / "opt/demo").exists()
