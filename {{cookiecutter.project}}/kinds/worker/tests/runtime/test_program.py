"""The function that [tool.program] names: found, or refused in one line."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

FUNCTIONS = """
class Class:
    def __init__(self, stop): ...
    def method(self, stop): ...
instance = Class(1)
def run(stop): ...
def more(stop, log=None): ...
def nothing(): ...
def two(stop, queue): ...
def named(stop, *, queue): ...
async def later(stop): ...
def yielding(stop): yield
"""


@pytest.fixture
def find(service: ModuleType, write: Callable[[str], str]) -> Callable[[str], Any]:
    """Return a function that finds a worker's function in a module."""

    def find(name: str) -> Any:
        facts = service.facts.Facts(service.facts.KIND, run=f"{write(FUNCTIONS)}:{name}")
        return service.program.find(facts)

    return find


@pytest.mark.parametrize("name", ["run", "more", "instance.method"])
def test_a_function_with_one_argument_is_found(find: Callable[[str], Any], name: str) -> None:
    assert find(name).__name__ in name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rnu", "there is no 'rnu': did you mean 'run'?"),
        ("__name__", "expected something to call"),
        ("Class", "expected a function that takes one argument, its stop"),
        ("nothing", "expected a function that takes one argument, its stop"),
        ("two", "expected a function that takes one argument, its stop"),
        ("named", "expected a function that takes one argument, its stop"),
        ("later", "expected a plain function (it may call asyncio.run)"),
        ("yielding", "expected a plain function (it may call asyncio.run)"),
    ],
)
def test_a_wrong_one_is_named(
    service: ModuleType, find: Callable[[str], Any], name: str, said: str
) -> None:
    with pytest.raises(service.reference.ProgramError) as refused:
        find(name)
    line = str(refused.value)
    assert line.startswith(f"tool.program.run is '{service.PACKAGE}.written:{name}', ")
    assert line.endswith(said)
    assert "\n" not in line


def test_lint_looks_for_it(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = service.facts.Facts(service.facts.KIND, run=f"{service.PACKAGE}.nowhere:run")
    monkeypatch.setattr(service.facts, "read", lambda: facts)
    assert service.program.main() == 1
    name = f"{service.PACKAGE}.nowhere"
    line = f"error: tool.program.run is '{name}:run', but there is no module {name}\n"
    assert capsys.readouterr().err == line
