"""Evaluates the markers of requirements, such as `python_version < "3.13"`.

The standard library cannot, and `packaging` is not in every environment that tasks look at. The
grammar: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
"""

import os
import platform
import re
import sys
from collections import deque
from collections.abc import Mapping

from .lock import admits

_TOKEN = re.compile(r"""\(|\)|'[^']*'|"[^"]*"|not\s+in\b|[<>=!~]+|\w+""")
_QUOTES = "'\""
_MIRRORED = str.maketrans("<>", "><")
_LAST_PATCH = 99  # of a Python: its newest one is what counts


def values(python: str) -> dict[str, str]:
    """Return the values of the variables on this machine, for a Python such as `3.13`."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.{_LAST_PATCH}",
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_system": platform.system(),
        "platform_python_implementation": platform.python_implementation(),
        "implementation_name": sys.implementation.name,
        "extra": "",
    }


def holds(marker: str, known: Mapping[str, str]) -> bool:
    """Return whether a marker holds; one that cannot be read does not."""
    tokens = deque(_TOKEN.findall(marker))
    try:
        return _joined(tokens, known) and not tokens
    except IndexError:
        return False


def _joined(
    tokens: deque[str], known: Mapping[str, str], words: tuple[str, ...] = ("or", "and")
) -> bool:
    """Take what is joined by the first of `words`; the words after it bind closer."""
    if not words:
        return _single(tokens, known)
    results = [_joined(tokens, known, words[1:])]
    while tokens and tokens[0] == words[0]:
        tokens.popleft()
        results.append(_joined(tokens, known, words[1:]))
    return any(results) if words[0] == "or" else all(results)


def _single(tokens: deque[str], known: Mapping[str, str]) -> bool:
    """Take one comparison, or all that stands in brackets."""
    if tokens[0] == "(":
        tokens.popleft()
        result = _joined(tokens, known)
        tokens.popleft()
        return result
    left, relation, right = (tokens.popleft() for _ in range(3))
    first, second = (
        side[1:-1] if side[0] in _QUOTES else known.get(side, "") for side in (left, right)
    )
    if relation.endswith("in"):
        return (first in second) == (relation == "in")
    if left.startswith("python_"):
        return admits(f"{relation}{_numbers(second)}", first)
    if right.startswith("python_"):
        return admits(f"{relation.translate(_MIRRORED)}{_numbers(first)}", second)
    return (first == second) == (relation == "==")


def _numbers(version: str) -> str:
    """Return a version without what marks it as one before the release."""
    return re.sub(r"(?i)(a|b|rc|\.?dev)\d*$", "", version)
