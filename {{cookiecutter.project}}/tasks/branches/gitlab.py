"""Protected branches for GitLab, derived from the table.

What each parameter means: https://docs.gitlab.com/api/protected_branches/
"""

from collections.abc import Mapping
from typing import Any

from .table import Table

_LEVELS = {"nobody": 0, "developers": 30, "maintainers": 40}


def protected(table: Table) -> list[dict[str, Any]]:
    """Return what is protected: all but branches that developers push to and may rewrite."""
    return [
        {
            "name": kind.name,
            "push_access_level": _LEVELS[kind.push],
            "merge_access_level": _LEVELS[kind.merge],
            "allow_force_push": False,
        }
        for kind in table.values()
        if kind.push != "developers"
    ]


def same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a protected branch of the server is as it should be."""
    return (
        _levels(found, "push_access_levels") == [wanted["push_access_level"]]
        and _levels(found, "merge_access_levels") == [wanted["merge_access_level"]]
        and bool(found.get("allow_force_push")) is wanted["allow_force_push"]
    )


def says(wanted: Mapping[str, Any]) -> str:
    """Return who may push and merge, in words."""
    words = {level: who for who, level in _LEVELS.items()}
    push, merge = (words[wanted[f"{what}_access_level"]] for what in ("push", "merge"))
    return f"{push} may push, {merge} may merge"


def _levels(found: Mapping[str, Any], key: str) -> list[Any]:
    return [entry.get("access_level") for entry in found.get(key) or ()]
