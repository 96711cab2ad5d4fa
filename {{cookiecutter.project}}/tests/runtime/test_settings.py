"""The settings, and how a wrong value is refused."""

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result

from .program import Program

Run = Callable[..., Result]
DOCUMENTED = Path(__file__).parents[2] / "deploy/units/env.in"


def test_defaults(service: ModuleType) -> None:
    found = service.settings.load({"PATH": "/bin"})
    assert (found.host, found.port, found.log_level, found.grace_seconds) == (
        "127.0.0.1",
        8000,
        "info",
        25,
    )


def test_environment_overrides_defaults_and_options_override_both(service: ModuleType) -> None:
    environ = {f"{service.PREFIX}PORT": "1", f"{service.PREFIX}HOST": "::1"}
    found = service.settings.load(environ, {"host": None, "port": "65535"})
    assert (found.host, found.port) == ("::1", 65535)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("LOG_LEVEL", "WARNING", "warning"),
        ("GRACE_SECONDS", "0", 0),
        ("HOST", "localhost", "localhost"),
    ],
)
def test_allowed(service: ModuleType, variable: str, text: str, value: object) -> None:
    found = service.settings.load({service.PREFIX + variable: text})
    assert getattr(found, variable.lower()) == value


@pytest.mark.parametrize("command", ["serve", "check"])
def test_wrong_value_is_refused_by_every_command_that_reads_it(
    service: ModuleType, run: Run, command: str
) -> None:
    result = run(command, PORT="abc")
    assert result.exit_code == 2
    assert result.output == (
        f"error: {service.PREFIX}PORT is 'abc': expected a whole number from 1 to 65535\n"
    )


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("PORT", "abc", "a whole number from 1 to 65535"),
        ("PORT", "", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "8_0", "a whole number from 1 to 65535"),
        ("PORT", "٣", "a whole number from 1 to 65535"),
        ("GRACE_SECONDS", "-1", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "1.5", "a whole number of seconds from 0 to 3600"),
        ("DRAIN_SECONDS", "-1", "a whole number of seconds from 0 to 3600"),
        ("HEAD_SECONDS", "0", "a whole number of seconds from 1 to 3600"),
        ("IDLE_SECONDS", "0", "a whole number of seconds from 1 to 3600"),
        ("STALL_SECONDS", "3601", "a whole number of seconds from 1 to 3600"),
        ("MAX_CONNECTIONS", "0", "a whole number from 1 to 1000000"),
        ("PORT", "9" * 5000, "a whole number from 1 to 65535"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
        ("HOST", "", "an address or a host name"),
        ("HOST", "a b", "an address or a host name"),
        ("HOST", "a..b", "an address or a host name"),
        ("HOST", "http://a", "an address or a host name"),
        ("HOST", "a\nb", "an address or a host name"),
    ],
)
def test_wrong_value(service: ModuleType, run: Run, variable: str, text: str, allowed: str) -> None:
    result = run("check", **{variable: text})
    assert result.exit_code == 2
    assert result.output == f"error: {service.PREFIX}{variable} is {text!r}: expected {allowed}\n"


def test_unknown_variable(service: ModuleType, run: Run) -> None:
    result = run("serve", PROT="8001")
    names = ", ".join(service.PREFIX + field.upper() for field in service.settings.RULES)
    assert result.exit_code == 2
    assert result.output == f"error: {service.PREFIX}PROT is no setting: expected one of {names}\n"


@pytest.mark.skipif(not DOCUMENTED.exists(), reason="not deployed to machines")
def test_every_setting_is_documented_with_its_default(service: ModuleType) -> None:
    text = DOCUMENTED.read_text("utf-8")
    shown = dict(re.findall(r"^#@prefix@(\w+)=(.*)$", text, re.MULTILINE))
    defaults = asdict(service.settings.Settings())
    assert shown == {name.upper(): str(value) for name, value in defaults.items()}


@pytest.mark.parametrize(
    "words", [("serve", "--port", "abc"), ("serve", "--hold", "--port", "abc")]
)
def test_wrong_option(start: Callable[..., Program], words: tuple[str, ...]) -> None:
    program = start(*words)
    assert program.ended() == 2
    assert program.output() == "error: --port is 'abc': expected a whole number from 1 to 65535\n"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://localhost:80"),
        ("10.0.0.1", "http://10.0.0.1:80"),
        ("fe80::1", "http://[fe80::1]:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
    ],
)
def test_url_is_one_to_reach_it_by(service: ModuleType, host: str, url: str) -> None:
    assert service.settings.Settings(host=host, port=80).url == url
