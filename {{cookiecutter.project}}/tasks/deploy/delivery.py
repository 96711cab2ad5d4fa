"""What the offline quadrants do on hosts: carry a file there, and run its own installer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..hosts import targets
from ..hosts.rollout import CHECK, Act, roll_out
from ..lib.console import TaskError
from ..lib.project import Project
from .build.plan import Plan
from .settings import Settings, read

HELP = {
    "to": "Also install it on the hosts of this target of invoke.yaml.",
    "allow-downgrade": "With --to: also over a newer release.",
    "check": "With --to: show what would change on the hosts, and change nothing there.",
}


@dataclass(frozen=True)
class Destination:
    """Where an artefact goes besides `dist/`, if anywhere."""

    target: targets.Target | None
    options: tuple[str, ...]
    """Of the installer on the hosts."""
    check: bool
    settings: Settings


def destination(
    project: Project, deploy: Mapping[str, Any], quadrant: str, to: str, **switches: bool
) -> Destination:
    """Find out where to, before anything is built; `switches` are those that need `--to`.

    Raises `TaskError` for a switch without a target, and as `targets.find` and `settings.read` do.
    """
    if not to and (alone := [name for name, on in switches.items() if on]):
        raise TaskError(f"--{alone[0].replace('_', '-')} is about hosts: it needs --to")
    target = targets.find(project, deploy, to, quadrant) if to else None
    return Destination(
        target,
        ("--allow-downgrade",) if switches["allow_downgrade"] else (),
        switches["check"],
        read(target.over(deploy) if target else deploy),
    )


def carry(plan: Plan, artifact: Path, installer: Sequence[str], goal: Destination) -> None:
    """Install an artefact of `plan` on the hosts; nothing where there is no target.

    `installer` is the command there, in which `ROOM` stands for the folder with the artefact; an
    archive is unpacked there. Raises `TaskError` as `roll_out` does.
    """
    if goal.target:
        variables = {
            "carry_artifact": str(artifact),
            "carry_installer": [*installer, *goal.options],
        }
        roll_out(plan.project, goal.target, act("carry", plan, variables, check=goal.check))


def act(role: str, plan: Plan, variables: Mapping[str, Any], *, check: bool) -> Act:
    """Give the act that brings hosts to the release of `plan`."""
    return Act(
        role=role,
        title=plan.revision.release,
        variables=variables,
        wanted=plan.revision.release,
        quadrant=plan.quadrant,
        health_seconds=plan.settings.health_seconds,
        options=CHECK if check else (),
    )
