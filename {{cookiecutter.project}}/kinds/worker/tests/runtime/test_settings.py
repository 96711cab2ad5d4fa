"""The settings, and how a wrong value is refused."""

import re
from collections.abc import Callable
from dataclasses import asdict
from types import ModuleType

import pytest
from click.testing import Result

from .fixtures import ROOT

Run = Callable[..., Result]
DOCUMENTED = ROOT / "deploy/units/env.in"


def test_defaults(service: ModuleType) -> None:
    found = service.settings.load({"PATH": "/bin"})
    assert (found.log_level, found.grace_seconds) == ("info", 25)


def test_environment_overrides_defaults_and_options_override_both(service: ModuleType) -> None:
    environ = {f"{service.PREFIX}GRACE_SECONDS": "0", f"{service.PREFIX}LOG_LEVEL": "WARNING"}
    found = service.settings.load(environ, {"grace_seconds": "3600", "log_level": None})
    assert (found.log_level, found.grace_seconds) == ("warning", 3600)


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("GRACE_SECONDS", "-1", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "3601", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "1.5", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "1_0", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "٣", "a whole number of seconds from 0 to 3600"),
        ("GRACE_SECONDS", "9" * 5000, "a whole number of seconds from 0 to 3600"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
    ],
)
def test_wrong_value(service: ModuleType, run: Run, variable: str, text: str, allowed: str) -> None:
    line = f"error: {service.PREFIX}{variable} is {text!r}: expected {allowed}\n"
    for command in ("serve", "before-switch"):
        result = run(command, **{variable: text})
        assert (result.exit_code, result.output) == (2, line)


def test_unknown_variable(service: ModuleType, run: Run) -> None:
    result = run("serve", LOG_LEVLE="debug")
    names = f"{service.PREFIX}LOG_LEVEL, {service.PREFIX}GRACE_SECONDS"
    line = f"error: {service.PREFIX}LOG_LEVLE is no setting: expected one of {names}\n"
    assert (result.exit_code, result.output) == (2, line)


def test_unknown_option(run: Run) -> None:
    result = run("serve", "--grace", "80")
    assert result.exit_code == 2
    assert "No such option" in result.output


@pytest.mark.skipif(not DOCUMENTED.exists(), reason="not deployed to machines")
def test_every_setting_is_documented_with_its_default(service: ModuleType) -> None:
    shown = dict(re.findall(r"^#@prefix@(\w+)=(.*)$", DOCUMENTED.read_text("utf-8"), re.MULTILINE))
    usual = asdict(service.settings.Settings())
    assert shown == {field.upper(): str(value) for field, value in usual.items()}
