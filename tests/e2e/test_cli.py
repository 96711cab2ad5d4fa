"""A click command through every quadrant for machines; the machine has systemd, and needs none."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Bake
from tests.support import commit

from . import quadrants
from .conftest import NewMachine
from .controller import TO, block
from .machine import Machine, Result
from .programs import overlay
from .releases import NAME, VERSIONS, Release, Releases, invoke
from .service import BASE, active, error, history, put, status, unpack

COMPLETIONS = (
    f"bash-completion/completions/{NAME}",
    f"fish/vendor_completions.d/{NAME}.fish",
    f"zsh/site-functions/_{NAME}",
)
MAN = f"man/man1/{NAME}.1"
COMPLETE = """
. {file}
COMP_WORDS=({name} co) COMP_CWORD=1
_my_service_completion {name}
echo "${{COMPREPLY[*]}}"
"""

Install = Callable[[Machine, Release], Result]


@pytest.fixture(scope="module")
def project(bake: Bake) -> Path:
    """Return the project of a real command, which finds plugins by their entry points."""
    project = bake(project=NAME, kind="cli", warm=True)
    overlay(project, "click")
    commit(project)
    return project


@pytest.fixture(scope="module")
def commands(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Return the releases of a command, each with the program's own name."""
    return Releases(project, tmp_path_factory.mktemp("commands") / "releases")


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("systemd")


def by_dpkg(machine: Machine, release: Release) -> Result:
    return machine.run("dpkg", "--install", put(machine, release.deb), check=False)


def by_archive(machine: Machine, release: Release) -> Result:
    return machine.run(f"{unpack(machine, release)}/install", check=False)


def by_bundle(machine: Machine, release: Release) -> Result:
    return machine.run("sh", put(machine, release.run), check=False)


WAYS: dict[str, tuple[Install, str, list[str]]] = {
    "deb": (by_dpkg, "/usr", ["dpkg", "--purge", NAME]),
    "archive": (by_archive, "/usr/local", [f"{NAME}-admin", "uninstall", "--purge"]),
    "bundle": (by_bundle, "/usr/local", [f"{NAME}-admin", "uninstall", "--purge"]),
}
"""How it is installed, where its links are then, and how it is removed."""


def version(machine: Machine) -> str:
    name, release = machine.run(NAME, "--version").stdout.split()
    assert name == NAME
    return release.partition("+")[0]


def links(machine: Machine, below: str) -> list[Path]:
    shared = (machine.path(f"{below}/share/{path}") for path in (*COMPLETIONS, MAN))
    return [*(machine.path(f"{below}/bin/{name}") for name in (NAME, f"{NAME}-admin")), *shared]


def assert_nothing_but_a_command(machine: Machine) -> None:
    for path in (f"/etc/{NAME}", f"/var/lib/{NAME}", f"/etc/systemd/system/{NAME}.service"):
        assert not machine.path(path).exists()
    assert machine.run("id", NAME, check=False).returncode == 1
    found = machine.run("systemctl", "list-units", "--all", "--no-legend", f"{NAME}*").stdout
    assert found == ""


@pytest.mark.parametrize("way", WAYS)
def test_a_life(machine: Machine, commands: Releases, way: str) -> None:
    install, below, remove = WAYS[way]
    machine.run("rm", "-f", "/root/no-library")
    first = install(machine, commands["old"])
    assert first.returncode == 0, first.stderr
    assert "0.1.0 is installed and can be used\n" in first.stdout
    assert version(machine) == "0.1.0"
    assert all(path.is_symlink() for path in links(machine, below))
    assert status(machine)["service"] == "none: it is a command"
    assert_nothing_but_a_command(machine)

    assert_help_works(machine, below)
    assert_plugins_are_found(machine)

    assert install(machine, commands["new"]).returncode == 0
    assert version(machine) == "0.2.0"

    machine.run("touch", "/root/no-library")
    refused = install(machine, commands["needs"])
    assert refused.returncode != 0
    assert " does not run here, nothing was changed: 'my-service --version' says" in error(refused)
    assert "the library is missing" in error(refused)
    assert (active(machine), version(machine)) == ("0.2.0", "0.2.0")

    machine.run("rm", "/root/no-library")
    assert install(machine, commands["needs"]).returncode == 0
    assert version(machine) == "0.2.1"
    assert machine.run(f"{NAME}-admin", "verify").stdout.startswith(f"{BASE}/releases/0.2.1 is wh")
    for before in ("0.2.0", "0.1.0"):
        machine.run(f"{NAME}-admin", "rollback")
        assert version(machine) == before
    happened = [(event, release) for _, event, release, _ in history(machine)]
    went = ["0.1.0", "0.2.0", "!0.2.1", "0.2.1", "0.2.0", "0.1.0"]
    assert happened == [("failed" if v[0] == "!" else "active", v.lstrip("!")) for v in went]

    machine.run(*remove)
    assert not [path for path in links(machine, below) if path.is_symlink()]
    assert not machine.path(BASE).exists()
    assert_nothing_but_a_command(machine)


def assert_help_works(machine: Machine, below: str) -> None:
    script = COMPLETE.format(file=f"{below}/share/{COMPLETIONS[0]}", name=NAME)
    assert machine.run("bash", "-c", script).stdout == "convert\n"
    page = machine.run("cat", f"{below}/share/{MAN}").stdout
    assert page.startswith('.TH "MY\\-SERVICE" "1" ')
    assert "my\\-service convert" in page


def assert_plugins_are_found(machine: Machine) -> None:
    assert {"tables", "toc"} <= set(machine.run(NAME, "extensions").stdout.split())
    table = f"printf 'a | b\\n--|--\\n1 | 2\\n' | {NAME} convert --use tables"
    assert "<table>" in machine.sh(table).stdout


def test_settings_are_refused(machine: Machine, commands: Releases) -> None:
    machine.run("mkdir", "-p", "/srv/settings")
    machine.run("touch", f"/srv/settings/{NAME}.env")
    tree = unpack(machine, commands["old"])
    said = machine.run(f"{tree}/install", "--settings", "/srv/settings", check=False)
    assert said.returncode == 2
    assert error(said) == f"error: {NAME} is a command and has no settings: leave out --settings"
    assert not machine.path(BASE).exists()


def test_one_file_needs_no_installation(project: Path, machine: Machine) -> None:
    invoke(project, "deploy.offline-binary", "--onefile")
    (built,) = (project / "dist/offline-binary").glob("*.run")
    machine.run("mv", machine.put(built, "/srv"), f"/usr/local/bin/{NAME}")
    assert machine.run(NAME, "--version").stdout.startswith(f"{NAME} 0.")
    assert_plugins_are_found(machine)
    machine.run("rm", f"/usr/local/bin/{NAME}")


def test_a_host_makes_it_from_its_source(bake: Bake, tmp_path: Path) -> None:
    project = bake(project=NAME, kind="cli", python_version=quadrants.PYTHON)
    overlay(project, "click")
    commit(project)
    # The environment in which its help is read, made while there is a network.
    invoke(project, "run", "--arguments", "--version")
    with quadrants.controlled(project, VERSIONS, tmp_path) as controller:
        [host] = controller.hosts.hosts.values()
        said = block(quadrants.deploy(controller, "old"))["h1"]
        assert re.fullmatch(r"nothing -> 0\.1\.0-\w+, none: it is a command, \d+\.\d s", said)
        assert version(host) == "0.1.0"
        assert all(path.is_symlink() for path in links(host, "/usr/local"))
        assert_nothing_but_a_command(host)
        assert_help_works(host, "/usr/local")
        assert_plugins_are_found(host)
        quadrants.deploy(controller, "new")
        assert version(host) == "0.2.0"
        host.run("touch", "/root/no-library")
        refused = quadrants.deploy(controller, "needs", code=1)
        assert "the library is missing" in refused.stderr
        assert version(host) == "0.2.0"
        controller.invoke("deploy.rollback", *TO)
        assert version(host) == "0.1.0"
        shown = block(controller.invoke("deploy.status", *TO))["h1"]
        assert re.match(r"0\.1\.0-\w+ \(online-source\) since ", shown)
        happened = controller.invoke("deploy.history", *TO).stdout
        went = re.findall(r"(active|failed) +(0\.\d\.\d)-", happened)
        assert went == [("active", "0.1.0"), ("active", "0.2.0"), ("failed", "0.2.1"),
                        ("active", "0.1.0")], happened  # fmt: skip
