"""What MODULE:NAME names: imported, or refused in one line."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Write = Callable[[str], str]
Find = Callable[..., Any]


@pytest.fixture
def find(service: ModuleType) -> Find:
    """Return a function that finds what a reference names."""
    return lambda named: service.reference.find("tool.program.app", named)


@pytest.mark.parametrize("name", ["function", "Class", "instance.method"])
def test_what_can_be_called_is_found(write: Write, find: Find, name: str) -> None:
    code = "def function(): ...\nclass Class:\n    def method(self): ...\ninstance = Class()\n"
    assert find(f"{write(code)}:{name}").__name__ in name


@pytest.mark.parametrize(
    ("value", "said"),
    [("5", "5"), ("'x' * 100", f"'{'x' * 59}..."), ("[1,\n2]", "[1, 2]")],
)
def test_what_cannot_be_called(
    service: ModuleType, write: Write, find: Find, value: str, said: str
) -> None:
    named = f"{write(f'value = {value}')}:value"
    with pytest.raises(service.reference.ProgramError) as refused:
        find(named)
    line = f"tool.program.app is '{named}', {said}: expected something to call"
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tool.program.app is 'NAME:app', but there is no 'app': expected "),
        ("apps = 1", "tool.program.app is 'NAME:app', but there is no 'app': did you mean 'apps'?"),
        (
            "\nimport no_such.thing",
            "NAME needs the module 'no_such' (NAME, line 2), which is not installed: "
            "add it to [packages] of the Pipfile, and lock",
        ),
        (
            "from .nothing import x",
            "NAME cannot be imported: ModuleNotFoundError: No module named 'PACKAGE.nothing' "
            "(NAME, line 1)",
        ),
        (
            "from json import nothing",
            "NAME cannot be imported: ImportError: cannot import name 'nothing' from 'json' ",
        ),
        (
            "def f():\n    raise ValueError('first\\nlast')\nf()",
            "NAME cannot be imported: last (NAME, line 2)",
        ),
        ("1 +", "NAME cannot be imported: SyntaxError: invalid syntax"),
        ("raise SystemExit('over')", "NAME cannot be imported: SystemExit: over (NAME, line 1)"),
    ],
)
def test_module_that_cannot_be_used(
    service: ModuleType, write: Write, find: Find, text: str, said: str
) -> None:
    module = write(text)
    with pytest.raises(service.reference.ProgramError) as refused:
        find(f"{module}:app")
    line = str(refused.value)
    assert line.startswith(said.replace("NAME", module).replace("PACKAGE", service.PACKAGE))
    assert "\n" not in line
    assert ".runtime." not in line, "it names our code"


def test_no_such_module(service: ModuleType, find: Find) -> None:
    name = f"{service.PACKAGE}.no.app"
    with pytest.raises(service.reference.ProgramError) as refused:
        find(f"{name}:app")
    line = f"tool.program.app is '{name}:app', but there is no module {service.PACKAGE}.no"
    assert str(refused.value) == line


def test_interrupt_is_no_failure(write: Write, find: Find) -> None:
    with pytest.raises(KeyboardInterrupt):
        find(f"{write('raise KeyboardInterrupt')}:app")
