"""The command that [project.scripts] names: found, or refused in one line."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(runtime: ModuleType, tmp_path: Path) -> Iterator[Write]:
    """Return a function that writes a module of the package, and what names it.

    In what it writes, PACKAGE and NAME stand for those of the project.
    """
    package = sys.modules[runtime.PACKAGE]
    package.__path__.append(str(tmp_path))

    def write(
        code: str = "def main(): pass",
        script: str = '"NAME" = "PACKAGE.written:main"',
        program: str = '[tool.program]\nkind = "cli"',
    ) -> Path:
        (tmp_path / "written.py").write_text(code.replace("PACKAGE", runtime.PACKAGE))
        text = f"[project.scripts]\n{script}\n{program}\n"
        text = text.replace("PACKAGE", runtime.PACKAGE).replace("NAME", runtime.NAME)
        (tmp_path / "pyproject.toml").write_text(text)
        return tmp_path / "pyproject.toml"

    yield write
    package.__path__.remove(str(tmp_path))
    sys.modules.pop(f"{runtime.PACKAGE}.written", None)
    vars(package).pop("written", None)


@pytest.mark.parametrize("path", ["main", "Tool.run"])
def test_what_can_be_called_is_found(runtime: ModuleType, write: Write, path: str) -> None:
    code = "def main(): return 3\nclass Tool:\n    run = main"
    found = runtime.program.find(write(code, f'"NAME" = "PACKAGE.written:{path}"'))
    assert found() == 3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"program": ""}, "pyproject.toml has no [tool.program]: expected kind cli"),
        ({"program": "[tool.program]"}, "tool.program.kind is None: expected cli"),
        (
            {"program": '[tool.program]\nkind = "service"'},
            "tool.program.kind is 'service': expected cli",
        ),
        (
            {"program": '[tool.program]\nkind = "cli"\napp = "x"'},
            "tool.program has 'app': expected kind",
        ),
        ({"script": ""}, "project.scripts has no 'NAME': expected PACKAGE.cli:main, or such"),
        (
            {"script": 'other = "x:y"'},
            "project.scripts has 'other': expected NAME, and nothing else",
        ),
        (
            {"script": '"NAME" = "os:getcwd"'},
            "project.scripts.NAME is 'os:getcwd': "
            "expected MODULE:FUNCTION in PACKAGE, such as PACKAGE.cli:main",
        ),
        (
            {"script": '"NAME" = "PACKAGE.gone:main"'},
            "project.scripts.NAME is 'PACKAGE.gone:main', but there is no module PACKAGE.gone",
        ),
        (
            {"code": "def mian(): pass"},
            "project.scripts.NAME is 'PACKAGE.written:main', but there is no 'main': "
            "did you mean 'mian'?",
        ),
        (
            {"code": "main = 5"},
            "project.scripts.NAME is 'PACKAGE.written:main', 5: expected something to call",
        ),
        (
            {"code": "import nowhere"},
            "PACKAGE.written needs the module 'nowhere' (PACKAGE.written, line 1), "
            "which is not installed: add it to [packages] of the Pipfile, and lock",
        ),
        (
            {"code": "import PACKAGE.nowhere"},
            "PACKAGE.written cannot be imported: ModuleNotFoundError: "
            "No module named 'PACKAGE.nowhere' (PACKAGE.written, line 1)",
        ),
        (
            {"code": "\nraise SystemExit('a\\nb')"},
            "PACKAGE.written cannot be imported: b (PACKAGE.written, line 2)",
        ),
    ],
)
def test_a_mistake_is_one_line(
    runtime: ModuleType, write: Write, written: dict[str, str], said: str
) -> None:
    with pytest.raises(runtime.program.ProgramError) as refused:
        runtime.program.find(write(**written))
    expected = said.replace("PACKAGE", runtime.PACKAGE).replace("NAME", runtime.NAME)
    assert str(refused.value) == expected


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_projects_own_is_found(python: Run) -> None:
    done = python("runtime.program")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", ["runtime", "runtime.program"])
def test_what_cannot_be_called_ends_it(
    runtime: ModuleType, python: Run, tmp_path: Path, module: str
) -> None:
    copy = tmp_path / "src" / runtime.PACKAGE / "runtime"
    copy.mkdir(parents=True)
    (copy.parent / "__init__.py").touch()
    for path in Path(str(runtime.__file__)).parent.glob("*.py"):
        (copy / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_text("[tool.program]\nkind = 1\n")
    done = python(module, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout + done.stderr == "error: tool.program.kind is 1: expected cli\n"


def test_the_module_is_the_command(python: Run, command: str) -> None:
    done = python("runtime", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == command
