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


USUAL = '[tool.program]\nkind = "worker"\nrun = "PACKAGE.work:run"\n'


def test_defaults(service: ModuleType, write: Callable[..., Path], name: str) -> None:
    facts = service.facts.read(write(USUAL))
    assert (facts.kind, facts.run, facts.heartbeat_seconds) == ("worker", f"{name}.work:run", 60)
    assert facts.before_switch == ""


def test_all(service: ModuleType, write: Callable[..., Path], name: str) -> None:
    more = 'before_switch = "PACKAGE.data:migrate"\nheartbeat_seconds = 5\n'
    facts = service.facts.read(write(USUAL + more))
    assert (facts.before_switch, facts.heartbeat_seconds) == (f"{name}.data:migrate", 5)


def test_a_build_has_its_own_copy(service: ModuleType, package: Path, name: str) -> None:
    program = {"kind": "worker", "run": f"{name}.queue:run"}
    (package / "release.json").write_text(json.dumps({"release": "1", "program": program}))
    assert service.facts.read(package).run == f"{name}.queue:run"


REFERENCE = "expected MODULE:NAME in PACKAGE, such as PACKAGE."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pyproject.toml has no [tool.program]: expected kind worker"),
        ("[tool]\nprogram = 1", "cannot read [tool.program]: 'int' object is not iterable"),
        ("[tool.program]\n", "tool.program has no 'kind': expected worker"),
        ('[tool.program]\nkind = "worker"\n', f"tool.program has no 'run': {REFERENCE}work:run"),
        (USUAL.replace("worker", "daemon"), "tool.program.kind is 'daemon': expected worker"),
        (
            USUAL.replace("worker", "service") + "app = 1",
            "tool.program.kind is 'service': expected worker",
        ),
        (
            USUAL + "app = 1\n",
            "tool.program has 'app': "
            "expected before_switch, commands, heartbeat_seconds, kind, run",
        ),
        (
            USUAL + "hartbeat_seconds = 5\n",
            "tool.program has 'hartbeat_seconds': did you mean 'heartbeat_seconds'?",
        ),
        *(
            (
                USUAL + f"heartbeat_seconds = {wrong}\n",
                f"tool.program.heartbeat_seconds is {shown}: "
                "expected a whole number from 1 to 86400",
            )
            for wrong, shown in {"0": "0", "true": "True", "1.5": "1.5", '"5"': "'5'"}.items()
        ),
        (
            USUAL + "before_switch = true\n",
            f"tool.program.before_switch is True: {REFERENCE}data:migrate",
        ),
        (USUAL.replace(":run", ""), f"tool.program.run is 'PACKAGE.work': {REFERENCE}work:run"),
        (
            USUAL.replace("PACKAGE.work", "other.work"),
            f"tool.program.run is 'other.work:run': {REFERENCE}work:run",
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


@pytest.mark.parametrize("command", ["serve", "before-switch"])
def test_commands_say_it_in_one_line(
    service: ModuleType, run: Run, command: str, monkeypatch: pytest.MonkeyPatch, package: Path
) -> None:
    read = service.facts.read
    monkeypatch.setattr(service.facts, "read", lambda: read(package))
    result = run(command)
    line = f"error: there is no {package.parents[1]}/pyproject.toml, which says what to run\n"
    assert (result.exit_code, result.output) == (1, line)
