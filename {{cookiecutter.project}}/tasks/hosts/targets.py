"""The targets under `deploy.targets` in invoke.yaml, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import TaskError
from ..project import Project

_KEYS = {"inventory", "quadrant", "batch"}
_BATCH = re.compile(r"[1-9]\d*|([1-9]\d?|100)%")


@dataclass(frozen=True)
class Target:
    """Hosts that get the same release."""

    name: str
    inventory: Path
    quadrant: str
    """The one way to deploy to them, such as `offline-source`."""
    batch: str
    """How many at a time after the first one: a number or a percentage."""

    @property
    def batches(self) -> list[int | str]:
        """Give the sizes of the batches as Ansible's `serial` takes them: one host goes first."""
        return [1, int(self.batch) if self.batch.isdecimal() else self.batch]


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
    if unknown := given.keys() - _KEYS:
        expected = ", ".join(sorted(_KEYS))
        raise TaskError(f"{where} has '{min(unknown)}': expected {expected}")
    if missing := {"inventory", "quadrant"} - given.keys():
        raise TaskError(f"{where} has no '{min(missing)}'")
    batch = str(given.get("batch", 1))
    if not _BATCH.fullmatch(batch):
        raise TaskError(f"{where}.batch is '{batch}': expected a number or a percentage of hosts")
    inventory = project.root / str(given["inventory"])
    if not inventory.exists():
        raise TaskError(f"{where}.inventory is '{given['inventory']}': there is no such file")
    if quadrant and given["quadrant"] != quadrant:
        raise TaskError(f"the target {name} is for deploy.{given['quadrant']} --to {name}")
    return Target(name, inventory, str(given["quadrant"]), batch)
