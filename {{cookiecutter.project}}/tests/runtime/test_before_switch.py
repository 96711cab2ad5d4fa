"""The function that prepares the data for a release: called, or refused in one line."""

import json
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from click.testing import Result

from .conftest import SAMPLE
from .fixtures import PACKAGE

Run = Callable[..., Result]
Write = Callable[[str], str]
Hook = Callable[[str], None]

HOOKS = f"""
import os
{SAMPLE}
ran = []
def prepare(): ran.append(os.environ["PLACE"])
async def prepare_later(): ran.append("later")
def fail(): raise ValueError("no such table: things\\n(see above)")
async def fail_later(): raise ValueError("later")
def leave(): raise SystemExit("given up")
def needs(one): ...
def many(*any): ...
builtin = print
"""


@pytest.fixture
def hook(service: ModuleType, write: Write, monkeypatch: pytest.MonkeyPatch) -> Hook:
    """Return a function that makes a function of `HOOKS` the hook."""
    module = write(HOOKS)

    def hook(name: str) -> None:
        this = (service.facts.KIND, f"{module}:main")
        given = service.facts.Facts(*this, before_switch=f"{module}:{name}")
        monkeypatch.setattr(service.facts, "read", lambda: given)

    return hook


@pytest.mark.parametrize(("name", "ran"), [("prepare", "here"), ("prepare_later", "later")])
def test_it_is_called_once(
    hook: Hook, run: Run, monkeypatch: pytest.MonkeyPatch, name: str, ran: str
) -> None:
    monkeypatch.setenv("PLACE", "here")
    hook(name)
    done = run("before-switch")
    assert done.exit_code == 0
    assert done.stdout.startswith("the data is prepared for ")
    assert sys.modules[f"{PACKAGE}.written"].ran == [ran]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fail", "before_switch failed: ValueError: no such table: things"),
        ("fail_later", "before_switch failed: ValueError: later"),
        ("leave", "before_switch failed: SystemExit: given up"),
        ("needs", "tool.program.before_switch is "),
        ("many", "tool.program.before_switch is "),
        ("builtin", "tool.program.before_switch is "),
        ("nothing", "tool.program.before_switch is "),
    ],
)
def test_a_failure_is_one_line(hook: Hook, run: Run, name: str, said: str) -> None:
    hook(name)
    done = run("before-switch")
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {said}")
    logged = [json.loads(line)["message"] for line in done.stdout.splitlines()]
    assert logged == ["the before_switch hook failed"] * said.startswith("before_switch")


def test_a_program_may_have_none(run: Run) -> None:
    done = run("before-switch")
    assert done.exit_code == 0
    assert "there is nothing to prepare" in done.stdout


def test_a_wrong_one_is_found_before_anything_is_built(
    hook: Hook, service: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    hook("prepar")
    assert service.program.main() == 1
    assert "did you mean 'prepare'?" in capsys.readouterr().err
