"""Rulesets for GitHub, derived from the table.

What each rule and parameter means: https://docs.github.com/rest/repos/rules
"""

from typing import Any

from .table import Kind, Table

PREFIX = "branches: "
"""What the names of these rulesets begin with; others on the server are left alone."""
_MAINTAINERS = (2, 5)  # the repository roles "maintain" and "admin"


def rulesets(table: Table) -> dict[str, dict[str, Any]]:
    """Return the rulesets by their short names."""
    found = {"names": _names(table)}
    for kind in table.values():
        if kind.push == "nobody":
            found[kind.key] = _by_request(kind)
        if kind.push == "maintainers":
            found[kind.key] = _ruleset(kind, "kept", _KEPT)
            found[f"{kind.key}-push"] = _by_maintainers(kind, ["creation", "update"], "always")
        elif kind.merge == "maintainers":
            found[f"{kind.key}-merge"] = _by_maintainers(kind, ["update"], "pull_request")
    return found


def without_checks(ruleset: dict[str, Any]) -> dict[str, Any]:
    """Return a ruleset for a project without workflows, which would never report the checks."""
    rules = [rule for rule in ruleset["rules"] if rule["type"] != "required_status_checks"]
    return {**ruleset, "rules": rules}


_KEPT: list[dict[str, Any]] = [{"type": "deletion"}, {"type": "non_fast_forward"}]


def _names(table: Table) -> dict[str, Any]:
    """Return the ruleset by which no branch with another name can be made."""
    known = [f"refs/heads/{kind.name}" for kind in table.values()]
    return {
        "name": f"{PREFIX}names",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": known}},
        "rules": [{"type": "creation"}],
    }


def _by_request(kind: Kind) -> dict[str, Any]:
    """Return the ruleset of branches that take requests only, after their checks."""
    request = {
        "required_approving_review_count": 0,
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    }
    checks = {
        "strict_required_status_checks_policy": False,
        "required_status_checks": [{"context": name} for name in ("branch", *kind.checks)],
    }
    more = [
        {"type": "pull_request", "parameters": request},
        {"type": "required_status_checks", "parameters": checks},
    ]
    return _ruleset(kind, "requests only", [*_KEPT, *more])


def _by_maintainers(kind: Kind, rules: list[str], mode: str) -> dict[str, Any]:
    """Return a ruleset that only maintainers get around: by pushes (`always`), or by requests."""
    made = _ruleset(kind, "maintainers only", [{"type": rule} for rule in rules])
    actors = [
        {"actor_id": role, "actor_type": "RepositoryRole", "bypass_mode": mode}
        for role in _MAINTAINERS
    ]
    return {**made, "bypass_actors": actors}


def _ruleset(kind: Kind, what: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{PREFIX}{kind.name}, {what}",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {"ref_name": {"include": [f"refs/heads/{kind.name}"], "exclude": []}},
        "rules": rules,
    }
