"""Delivers what a build made: takes an artefact to a target and installs it there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lib.console import TaskError
from ..lib.project import Project
from ..lib.target import Rollout
from . import targets
from .build.plan import Plan
from .settings import Settings, read

HELP = {
    "to": "Also install it on the hosts of this target of invoke.yaml.",
    "allow-downgrade": "With --to: also over a newer release.",
    "check": "With --to: show what would change on the hosts, and change nothing there.",
}
FOLDER = "FOLDER"
"""In an installer's command, stands for the folder on the target that holds the artefact."""


@dataclass(frozen=True)
class Destination:
    """Where an artefact goes besides `dist/`, if anywhere."""

    target: targets.Target | None
    options: tuple[str, ...]
    """The installer's options."""
    check: bool
    settings: Settings


def find(
    project: Project, deploy: Mapping[str, Any], quadrant: str, to: str, **switches: bool
) -> Destination:
    """Return the destination, before anything is built; `switches` are options that need `--to`.

    Raises `TaskError` for a switch without a target, and as `targets.find` and `settings.read` do.
    """
    if not to and (alone := [name for name, on in switches.items() if on]):
        raise TaskError(f"--{alone[0].replace('_', '-')} is about hosts: it needs --to")
    return Destination(
        targets.find(project, deploy, to, quadrant) if to else None,
        ("--allow-downgrade",) if switches["allow_downgrade"] else (),
        switches["check"],
        read(targets.over(deploy, to) if to else deploy),
    )


def deliver(plan: Plan, artefact: Path, installer: Sequence[str], destination: Destination) -> None:
    """Install an artefact of a plan at its destination, if it has one.

    `installer` is the command on the target, in which `FOLDER` stands for the folder with the
    artefact; an archive is unpacked there. Raises `TaskError` as `Target.roll_out` does.
    """
    if destination.target:
        means = {
            "deliver_artefact": str(artefact),
            "deliver_installer": [*installer, *destination.options],
        }
        destination.target.roll_out(rollout("deliver", plan, means, check=destination.check))


def rollout(
    way: str,
    plan: Plan,
    means: Mapping[str, Any],
    *,
    check: bool,
    compare: Callable[[str], str] | None = None,
) -> Rollout:
    """Return the rollout that brings a target to the release of a plan."""
    return Rollout(
        release=plan.revision.release,
        quadrant=plan.quadrant,
        way=way,
        means=means,
        health_seconds=plan.settings.health_seconds,
        check=check,
        compare=compare,
    )
