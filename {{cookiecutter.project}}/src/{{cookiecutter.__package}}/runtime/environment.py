"""Read settings from environment variables and options, by the rules of each."""

from collections.abc import Mapping
from typing import Any

from . import PREFIX
from .rules import Rule


class SettingsError(Exception):
    """A setting is unknown or its value is not allowed; the message is one line."""


def values(
    rules: Mapping[str, Rule], environ: Mapping[str, str], options: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return the settings from `environ`, overridden by the command line's `options`.

    Raise SettingsError for a value that is not allowed, and for an unknown variable with our
    prefix: a misspelt setting must not seem to be applied.
    """
    known = {PREFIX + field.upper(): field for field in rules}
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    if strangers := sorted(ours.keys() - known):
        raise SettingsError(f"{strangers[0]} is no setting: expected one of {', '.join(known)}")
    found = {known[name]: _read(rules[known[name]], text, name) for name, text in ours.items()}
    given = {field: text for field, text in options.items() if text is not None}
    return found | {field: _read(rules[field], text, f"--{field}") for field, text in given.items()}


def _read(rule: Rule, text: str, name: str) -> Any:
    try:
        return rule.read(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}: expected {rule.allowed}") from None
