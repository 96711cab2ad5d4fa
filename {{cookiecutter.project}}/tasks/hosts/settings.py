"""The settings in invoke.yaml of a target that consists of hosts, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lib import rules
from ..lib.console import TaskError
from ..lib.project import Project

_URL = "a URL, in which HOST stands for a host's address"
RULES: rules.Rules = {
    "inventory": rules.text(r".+", "a path in the project"),
    "quadrant": rules.choice("online-source", "offline-source", "offline-binary"),
    "batch": rules.text(r"[1-9]\d*|([1-9]\d?|100)%", "a number or a percentage of hosts"),
    "repository": rules.text(r"\S+", "a remote, a folder or a URL of Git"),
    "health_url": rules.text(r"https?://\S+", _URL),
    "keep_releases": rules.whole_number(2),
}


@dataclass(frozen=True)
class HostSettings:
    """The settings of a target: hosts that get the same release."""

    project: Project
    name: str
    inventory: Path
    quadrant: str = ""
    """The one way to deploy to them, such as `offline-source`; empty: any."""
    batch: str = "1"
    """How many at a time after the first one: a number or a percentage."""
    repository: str = "origin"
    """Where hosts fetch the source from: a remote's name, a folder or a URL."""
    health_url: str = ""
    """Where callers ask whether a host is healthy; HOST stands for its address."""
    keep_releases: int | None = None
    """Overrides the value for all targets; None: not given."""

    @property
    def batches(self) -> list[int | str]:
        """The sizes of the batches as Ansible's `serial` takes them: one host goes first."""
        return [1, int(self.batch) if self.batch.isdecimal() else self.batch]


def find(project: Project, deploy: Mapping[str, Any], name: str) -> HostSettings:
    """Return the settings of a target by its name.

    Raises `TaskError` that names what is wrong and what is allowed: an unknown target or setting,
    or an inventory that is not there.
    """
    targets = deploy.get("targets") or {}
    if name not in targets:
        known = ", ".join(sorted(targets)) or "none"
        raise TaskError(f"--to is '{name}': expected a target of invoke.yaml; there are: {known}")
    where = f"deploy.targets.{name}"
    given = rules.read(where, dict(targets[name] or {}), RULES)
    if "inventory" not in given:
        raise TaskError(f"{where} has no 'inventory'")
    if "health_url" in given and project.kind != "service":
        url = given["health_url"]
        raise TaskError(f"{where}.health_url is '{url}': expected nothing for a {project.kind}")
    inventory = project.root / given.pop("inventory")
    if not inventory.exists():
        shown = inventory.relative_to(project.root)
        raise TaskError(f"{where}.inventory is '{shown}': there is no such file")
    return HostSettings(project, name, inventory, **given)
