"""Where the remote `origin` is, as its URL says."""

import re
from pathlib import Path

from ..lib import git

_URL = re.compile(
    r"(?:(?:https?|ssh|git)://)?"
    r"(?:[^@/]+@)?"  # a user, perhaps with a password
    r"([\w.-]+)(?::\d+)?"
    r"[:/](.+?)(?:\.git)?/?"
)


def origin(root: Path) -> tuple[str, str]:
    """Return host and project of the remote `origin`; empty where it has no host."""
    return parsed(git.answer(root, "remote", "get-url", "origin"))


def parsed(url: str) -> tuple[str, str]:
    """Return host and project of a URL such as `git@HOST:OWNER/NAME.git`; empty for a path."""
    found = _URL.fullmatch(url)
    return (found[1], found[2]) if found and found[1].strip(".") else ("", "")
