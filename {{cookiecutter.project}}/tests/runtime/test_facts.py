"""What [tool.program] says, and how a mistake in it is named."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def _usual_program() -> None:
    """Let these tests read what they write."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Make a package folder in a checkout."""
    package = tmp_path / "src" / "package"
    package.mkdir(parents=True)
    return package


@pytest.fixture
def name(service: ModuleType) -> str:
    """Return the name of the program's package."""
    return str(service.PACKAGE)


@pytest.fixture
def write(package: Path, name: str) -> Callable[..., Path]:
    """Return a function that writes pyproject.toml; PACKAGE stands for the package's name."""

    def write(text: str) -> Path:
        path = package.parents[1] / "pyproject.toml"
        path.write_text(text.replace("PACKAGE", name))
        return package

    return write


USUAL = '[tool.program]\nkind = "service"\napp = "PACKAGE.app:app"\n'


def test_defaults(service: ModuleType, write: Callable[..., Path], name: str) -> None:
    facts = service.facts.read(write(USUAL))
    assert (facts.kind, facts.app, facts.ready) == ("service", f"{name}.app:app", "")
    assert (facts.health_path, facts.ready_path) == ("/healthz", "/readyz")


def test_all(service: ModuleType, write: Callable[..., Path], name: str) -> None:
    more = (
        'ready = "PACKAGE.db.pool:ready"\nhealth_path = ""\nready_path = ""\nmetrics_path = "/m"\n'
    )
    facts = service.facts.read(write(USUAL + more))
    assert (facts.ready, facts.metrics_path) == (f"{name}.db.pool:ready", "/m")
    assert facts.health_path == facts.ready_path == ""


def test_commands(service: ModuleType, write: Callable[..., Path], name: str) -> None:
    assert service.facts.read(write(USUAL)).commands == {}
    more = '[tool.program.commands]\nmanage = "PACKAGE.manage:main"\n'
    found = service.facts.read(write(USUAL + more)).commands
    assert found == {"manage": f"{name}.manage:main"}


def test_a_build_has_its_own_copy(service: ModuleType, package: Path, name: str) -> None:
    program = {"kind": "service", "app": f"{name}.web:app"}
    (package / "release.json").write_text(json.dumps({"release": "1", "program": program}))
    assert service.facts.read(package).app == f"{name}.web:app"


REFERENCE = "expected MODULE:NAME in PACKAGE, such as PACKAGE.app:"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pyproject.toml has no [tool.program]: expected kind service"),
        ("[tool]\nprogram = 1", "cannot read [tool.program]: 'int' object is not iterable"),
        ("[tool.program]\n", "tool.program has no 'kind': expected service"),
        (
            '[tool.program]\nkind = "service"\n',
            f"tool.program has no 'app': {REFERENCE}app",
        ),
        (USUAL.replace("service", "daemon"), "tool.program.kind is 'daemon': expected service"),
        (
            USUAL.replace("service", "worker") + "run = 1",
            "tool.program.kind is 'worker': expected service",
        ),
        (
            USUAL + "run = 1",
            "tool.program has 'run': expected "
            "app, before_switch, commands, health_path, kind, metrics_path, ready, ready_path",
        ),
        (
            USUAL + 'helth_path = "/x"\n',
            "tool.program has 'helth_path': did you mean 'health_path'?",
        ),
        (
            USUAL + "x = 2020-01-01\n",
            "tool.program has 'x': expected "
            "app, before_switch, commands, health_path, kind, metrics_path, ready, ready_path",
        ),
        (USUAL + "ready = true\n", f"tool.program.ready is True: {REFERENCE}ready"),
        (USUAL + 'ready = ""\n', f"tool.program.ready is '': {REFERENCE}ready"),
        (
            USUAL.replace(":app", ""),
            f"tool.program.app is 'PACKAGE.app': {REFERENCE}app",
        ),
        (
            USUAL.replace("PACKAGE.app", "other.app"),
            f"tool.program.app is 'other.app:app': {REFERENCE}app",
        ),
        (
            USUAL + "commands = 1\n",
            "tool.program.commands is 1: "
            "expected a table such as { manage = 'PACKAGE.manage:main' }",
        ),
        *(
            (
                USUAL + f"commands = {{ '{wrong}' = 'PACKAGE.manage:main' }}\n",
                f"tool.program.commands has '{wrong}': expected small letters, digits and "
                "hyphens, but not before-switch, check, serve, version",
            )
            for wrong in ("serve", "Manage", "", "--help")
        ),
        *(
            (
                USUAL + f"commands = {{ manage = {wrong} }}\n",
                f"tool.program.commands.manage is {shown}: "
                "expected MODULE:NAME in PACKAGE, such as PACKAGE.manage:main",
            )
            for wrong, shown in (("'manage'", "'manage'"), ("true", "True"), ("'a:b'", "'a:b'"))
        ),
        (
            USUAL + 'ready_path = "ready"\n',
            "tool.program.ready_path is 'ready': expected a path such as /probe, or nothing",
        ),
        (
            USUAL + 'ready_path = "/healthz"\n',
            "tool.program.ready_path is '/healthz', as health_path is",
        ),
    ],
)
def test_a_mistake_is_named(
    service: ModuleType, write: Callable[..., Path], name: str, text: str, said: str
) -> None:
    with pytest.raises(service.reference.ProgramError) as refused:
        service.facts.read(write(text))
    assert str(refused.value) == said.replace("PACKAGE", name)


def test_no_file_and_no_toml(service: ModuleType, write: Callable[..., Path]) -> None:
    package = write("[tool")
    with pytest.raises(service.reference.ProgramError, match=r"^cannot read \[tool.program\]: "):
        service.facts.read(package)
    (package.parents[1] / "pyproject.toml").unlink()
    with pytest.raises(service.reference.ProgramError, match=r"^there is no .*pyproject\.toml"):
        service.facts.read(package)


@pytest.mark.parametrize("command", ["serve", "check"])
def test_commands_say_it_in_one_line(
    service: ModuleType, run: Run, command: str, monkeypatch: pytest.MonkeyPatch, package: Path
) -> None:
    read = service.facts.read
    monkeypatch.setattr(service.facts, "read", lambda: read(package))
    result = run(command)
    line = f"error: there is no {package.parents[1]}/pyproject.toml, which says what to run\n"
    assert (result.exit_code, result.output) == (1, line)


def test_check_asks_at_the_path_that_is_set(
    service: ModuleType, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = service.facts.Facts(kind="service", app="", ready_path="")
    monkeypatch.setattr(service.facts, "read", lambda: off)
    result = run("check")
    line = "error: tool.program.ready_path is '': only the health socket can be asked\n"
    assert (result.exit_code, result.output) == (1, line)
    assert "no such file" in run("check", "--url", "unix:/nowhere/health.sock").output
