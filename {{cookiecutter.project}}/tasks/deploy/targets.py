"""What every kind of target can do, and how to find one by its name."""

from collections.abc import Mapping
from typing import Any, Protocol

from ..hosts import settings as host_settings
from ..hosts.target import Hosts
from ..lib.console import TaskError
from ..lib.project import Project
from ..lib.target import Report, Rollout


class Target(Protocol):
    """Where releases go: hosts, of which each is a place, or one day a cluster."""

    @property
    def name(self) -> str:
        """Its name in invoke.yaml."""

    def state(self) -> Mapping[str, Report]:
        """Return which release each place runs, since when, and whether it is healthy."""

    def history(self) -> Mapping[str, Report]:
        """Return what was activated at each place, and what failed and why."""

    def roll_out(self, rollout: Rollout) -> None:
        """Bring every place to a release; raise `TaskError` at the first that is not healthy."""

    def roll_back(self, release: str, health_seconds: int) -> None:
        """Bring every place back to a release, or to the one before where it is empty."""


def find(project: Project, deploy: Mapping[str, Any], name: str, quadrant: str = "") -> Target:
    """Return a target by its name, for a quadrant or for any.

    Raises `TaskError` as `hosts` does.
    """
    return hosts(project, deploy, name, quadrant)


def hosts(project: Project, deploy: Mapping[str, Any], name: str, quadrant: str = "") -> Hosts:
    """Return a target that is hosts.

    Raises `TaskError` that names what is wrong and what is allowed: an unknown target or setting,
    an inventory that is not there, or a target for another quadrant.
    """
    found = host_settings.find(project, deploy, name)
    if quadrant and found.quadrant not in {"", quadrant}:
        raise TaskError(f"the target {name} is for deploy.{found.quadrant}, not {quadrant}")
    return Hosts(found)


def over(deploy: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings under `deploy`, with those that the named target overrides."""
    own = dict((deploy.get("targets") or {})[name] or {})
    return {**deploy, **{key: own[key] for key in ("keep_releases",) if key in own}}
