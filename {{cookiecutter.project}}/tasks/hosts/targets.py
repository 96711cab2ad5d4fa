"""The targets under `deploy.targets` in invoke.yaml, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lib.console import TaskError
from ..lib.project import Project

_ALLOWED = {
    "quadrant": (r"(online|offline)-source|offline-binary",
                 "online-source, offline-source or offline-binary"),
    "batch": (r"[1-9]\d*|([1-9]\d?|100)%", "a number or a percentage of hosts"),
    "repository": (r"\S+", "a remote, a folder or a URL of Git"),
    "health_url": (r"https?://\S+", "a URL, in which HOST stands for a host's address"),
    "keep_releases": (r"[2-9]|[1-9]\d+", "a whole number from 2 on"),
}  # fmt: skip
"""Every setting besides the inventory: the pattern of its values, and what that means."""


@dataclass(frozen=True)
class Target:
    """Hosts that get the same release."""

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
    keep_releases: str = ""
    """Instead of the one for all targets."""

    @property
    def batches(self) -> list[int | str]:
        """Give the sizes of the batches as Ansible's `serial` takes them: one host goes first."""
        return [1, int(self.batch) if self.batch.isdecimal() else self.batch]

    def over(self, deploy: Mapping[str, Any]) -> dict[str, Any]:
        """Give the settings under `deploy` as they are for this target."""
        own = {"keep_releases": self.keep_releases} if self.keep_releases else {}
        return {**deploy, **own}


def find(project: Project, deploy: Mapping[str, Any], name: str, quadrant: str = "") -> Target:
    """Give a target by its name.

    Raises `TaskError` that names what is wrong and what is allowed: an unknown target or setting,
    an inventory that is not there, or a target for another quadrant than `quadrant`.
    """
    targets = deploy.get("targets") or {}
    if name not in targets:
        known = ", ".join(sorted(targets)) or "none"
        raise TaskError(f"--to is '{name}': expected a target of invoke.yaml; there are: {known}")
    given = dict(targets[name] or {})
    where = f"deploy.targets.{name}"
    if unknown := given.keys() - {"inventory", *_ALLOWED}:
        expected = ", ".join(sorted({"inventory", *_ALLOWED}))
        raise TaskError(f"{where} has '{min(unknown)}': expected {expected}")
    if "inventory" not in given:
        raise TaskError(f"{where} has no 'inventory'")
    inventory = project.root / str(given.pop("inventory"))
    if not inventory.exists():
        shown = inventory.relative_to(project.root)
        raise TaskError(f"{where}.inventory is '{shown}': there is no such file")
    texts = {key: str(value) for key, value in given.items()}
    for key, text in texts.items():
        pattern, meaning = _ALLOWED[key]
        if not re.fullmatch(pattern, text):
            raise TaskError(f"{where}.{key} is '{text}': expected {meaning}")
    target = Target(name, inventory, **texts)
    if quadrant and target.quadrant not in {"", quadrant}:
        raise TaskError(f"the target {name} is for deploy.{target.quadrant}, not {quadrant}")
    return target
