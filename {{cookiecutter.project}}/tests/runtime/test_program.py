"""The app that [tool.program] names: found, or refused in one line."""

import functools
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from .apps import wsgi
from .program import Program, free_port

Start = Callable[..., Program]
Write = Callable[[str], str]
Find = Callable[..., Any]


@pytest.fixture
def find(service: ModuleType) -> Find:
    """Return a function that finds the program of some facts."""

    def find(app: str, ready: str = "") -> Any:
        return service.program.find(service.facts.Facts("service", app, ready))

    return find


ASGI = """
class Object:
    async def __call__(self, scope, receive, send): ...
    async def method(self, scope, receive, send): ...
async def function(scope, receive, send): ...
def passed_on(scope, receive, send): return function(scope, receive, send)
async def anything(*arguments): ...
async def more(scope, receive, send, extra=None): ...
instance = Object()
method = instance.method
"""


@pytest.mark.parametrize(
    "name", ["instance", "function", "passed_on", "anything", "more", "method", "instance.method"]
)
def test_asgi_is_served_as_it_is(write: Write, find: Find, name: str) -> None:
    app = find(f"{write(ASGI)}:{name}").app
    assert type(app).__name__ in {"Object", "function", "method"}


WSGI = """
import functools
class Object:
    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"found"]
instance = Object()
def function(environ, start_response): return instance(environ, start_response)
@functools.wraps(function)
def wrapped(*arguments, **more): return function(*arguments, **more)
def bound(answer, environ, start_response): return answer(environ, start_response)
partial = functools.partial(bound, instance)
"""


@pytest.mark.parametrize("name", ["instance", "function", "wrapped", "partial"])
def test_wsgi_is_served_too(
    write: Write, find: Find, serving: Callable[..., Any], name: str
) -> None:
    with TestClient(serving(find(f"{write(WSGI)}:{name}").app)) as client:
        assert client.get("/").text == "found"
        assert client.get("/readyz").json()["status"] == "ready"


WRONG = """
class Application:
    async def __call__(self, scope, receive, send): ...
def create(): ...
def one(scope): ...
def many(*arguments): ...
async def anything(first, *arguments): ...
number = 5
text = "x" * 100
builtin = print
"""
EXPECTED = (
    ": expected an ASGI app (scope, receive, send) or a WSGI app (environ, start_response), "
    "already made"
)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Application", f"<class 'NAME.Application'>{EXPECTED}"),
        ("create", f"<function create at 0x{EXPECTED}"),
        ("one", f"<function one at 0x{EXPECTED}"),
        ("many", f"<function many at 0x{EXPECTED}"),
        ("anything", f"<function anything at 0x{EXPECTED}"),
        ("builtin", f"<built-in function print>{EXPECTED}"),
        ("number", "5: expected something to call"),
        ("text", f"'{'x' * 59}...: expected something to call"),
    ],
)
def test_no_app(service: ModuleType, write: Write, find: Find, name: str, said: str) -> None:
    module = write(WRONG)
    with pytest.raises(service.reference.ProgramError) as refused:
        find(f"{module}:{name}")
    line = str(refused.value)
    begun, _, ended = said.replace("NAME", module).partition("0x")
    assert line.startswith(f"tool.program.app is '{module}:{name}', {begun}")
    assert line.endswith(ended)


def test_wsgi_without_its_library(
    service: ModuleType, write: Write, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "a2wsgi", None)
    with pytest.raises(service.reference.ProgramError, match=r"^a WSGI app needs the module"):
        find(f"{write(WSGI)}:function")


def test_ready_hook(service: ModuleType, write: Write, find: Find) -> None:
    module = write(f"{WSGI}\ndef ready(timeout=1): return True\ndef two(a, b): ...\n")
    assert find(f"{module}:function", f"{module}:ready").ready() is True
    with pytest.raises(service.reference.ProgramError) as refused:
        find(f"{module}:function", f"{module}:two")
    line = str(refused.value)
    assert line.startswith(f"tool.program.ready is '{module}:two', <function two at 0x")
    assert line.endswith(": expected a function without arguments")


def test_serve_says_it_in_one_line(start: Start) -> None:
    program = start("serve", program="slaw", PORT=free_port())
    assert program.ended() == 1
    said = "tool.program.app is 'runtime.apps:slaw', but there is no 'slaw': did you mean 'slow'?"
    assert program.output() == f"error: {said}\n"


@pytest.mark.parametrize("wrong", [False, True])
def test_look_without_serving(service: ModuleType, tmp_path: Path, wrong: bool) -> None:
    """Copy the package's runtime, and give it a program of its own."""
    package = tmp_path / "src" / service.PACKAGE
    package.mkdir(parents=True)
    (package / "runtime").symlink_to(Path(service.__path__[0]))
    (package / "app.py").write_text("def app(scope, receive, send): ...\n")
    named = f"{service.PACKAGE}.app:{'wrong' if wrong else 'app'}"
    (tmp_path / "pyproject.toml").write_text(f'[tool.program]\nkind = "service"\napp = "{named}"\n')
    command = [sys.executable, "-m", f"{service.PACKAGE}.runtime.program"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": f"{tmp_path / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"error: tool.program.app is '{named}', but there is no 'wrong': expected app\n"
    assert (done.returncode, done.stdout, done.stderr) == (int(wrong), "", said * wrong)


def test_wsgi_as_a_process(start: Start) -> None:
    program = start("serve", program="wsgi", PORT=free_port()).ready()
    with closing(program.connect()) as connection:
        connection.request("POST", "/", body=b"ed")
        assert connection.getresponse().read() == b"POSTed"
    assert program.get("/readyz")[0].status == 200
    program.terminate()
    assert program.ended() == 0


def test_wsgi_request_that_hangs_keeps_nothing_alive(start: Start) -> None:
    program = start("serve", program="wsgi", PORT=free_port(), GRACE_SECONDS=0).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/?600")
        program.wait_for("begun")
        program.terminate()
        assert connection.getresponse().status == 503
    assert program.ended() == 0


def test_apps_of_these_tests_are_what_they_should_be(service: ModuleType) -> None:
    arguments: Any = service.program._arguments
    assert arguments(wsgi) == 2
    assert arguments(Starlette()) == 3
    assert arguments(functools.partial(wsgi, {})) == 1
