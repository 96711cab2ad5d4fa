"""The program's own commands: called as a script is, or refused in one line."""

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from click.testing import Result

Run = Callable[..., Result]
Own = Callable[..., str]
Capture = pytest.CaptureFixture[str]

COMMANDS = """
import sys
import click
def say(): print(sys.argv)
def fail(): return 3
def refuse(): sys.exit("no such note")
def needs(one): ...
number = 5
@click.command
@click.option("--name")
def greet(name): print(f"Hello {name}")
"""


@pytest.fixture
def own(service: ModuleType, write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Own:
    """Return a function that gives the program commands, by their names those of `COMMANDS`."""
    module = write(COMMANDS)
    monkeypatch.setattr(sys, "argv", sys.argv)  # put back what a command has set

    def own(**commands: str) -> str:
        named = {name: f"{module}:{function}" for name, function in commands.items()}
        given = service.facts.Facts(service.facts.KIND, f"{module}:say", commands=named)
        monkeypatch.setattr(service.facts, "read", lambda: given)
        return module

    return own


@pytest.mark.parametrize("arguments", [(), ("a", "--help", "--", "-v", "--level=1", "--", "ü b")])
def test_it_gets_all_arguments_as_they_are(
    own: Own, run: Run, command: str, arguments: tuple[str, ...]
) -> None:
    own(manage="say")
    done = run("manage", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{[f'{command} manage', *arguments]}\n"


@pytest.mark.parametrize(("function", "code"), [("say", 0), ("fail", 3), ("refuse", 1)])
def test_the_exit_code_is_that_of_a_script(own: Own, run: Run, function: str, code: int) -> None:
    own(manage=function)
    assert run("manage").exit_code == code


def test_a_click_command_is_one_too(own: Own, run: Run, command: str) -> None:
    own(greet="greet")
    assert run("greet", "--name", "you").stdout == "Hello you\n"
    assert run("greet", "--help").stdout.startswith(f"Usage: {command} greet [OPTIONS]\n")
    assert run("greet", "--nam").exit_code == 2


def test_help_lists_it(own: Own, run: Run) -> None:
    module = own(zap="say", manage="say")
    said = run("--help").stdout
    assert f"Call {module}:say." in said
    assert said.index("version") < said.index("manage") < said.index("zap")
    unknown = run("manag")
    assert unknown.exit_code == 2
    assert "No such command 'manag'" in unknown.stderr


WRONG = {
    "gret": ", but there is no 'gret': did you mean 'greet'?\n",
    "number": ", 5: expected something to call\n",
    "needs": ": expected a function that needs no arguments\n",
}


@pytest.mark.parametrize("function", WRONG)
def test_a_wrong_one_is_named(own: Own, run: Run, function: str) -> None:
    module = own(manage=function)
    done = run("manage")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: tool.program.commands.manage is '{module}:{function}'")
    assert done.stderr.endswith(WRONG[function])


def test_builds_look_for_it_too(
    service: ModuleType, own: Own, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    module = own(manage="gret")
    monkeypatch.setattr(service.program, "find", lambda described: described)
    assert service.program.main() == 1
    said = f"error: tool.program.commands.manage is '{module}:gret'{WRONG['gret']}"
    assert capsys.readouterr().err == said
    own(manage="say")
    assert service.program.main() == 0
