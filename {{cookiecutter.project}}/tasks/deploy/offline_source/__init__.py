"""`deploy.offline-source`: a bundle for a machine with neither Python nor network."""

from invoke.context import Context

from ... import project
from ...console import TaskError
from ...hosts.rollout import carry, roll_out
from ...hosts.targets import find
from ...task import task
from ..plan import here, plan
from ..settings import read
from . import build
from .source import PLATFORMS


@task(
    help={
        "platform": "Build for another system, such as linux-aarch64 (default: this one).",
        "python": "Carry this Python (X.Y) instead of the one in .python-version.",
        "to": "Also install it on the hosts of this target of invoke.yaml.",
        "allow-downgrade": "With --to: also over a newer release.",
        "dry-run": "Print the plan and change nothing.",
    }
)
def offline_source(  # noqa: PLR0913 (an option each)
    context: Context,
    *,
    platform: str = "",
    python: str = "",
    to: str = "",
    allow_downgrade: bool = False,
    dry_run: bool = False,
) -> None:
    """Build a self-extracting bundle that needs no Python and no network on the target."""
    deploy, this = context.config.get("deploy", {}), project.load()
    if allow_downgrade and not to:
        raise TaskError("--allow-downgrade says what hosts may do: it needs --to")
    target = find(this, deploy, to, build.QUADRANT) if to else None
    system = _system(platform)
    what = plan(build.QUADRANT, this, read(deploy), python=python, system=system)
    (build.describe if dry_run else build.build)(what)
    if target and not dry_run:
        single = what.target / f"{what.stem}.run"
        act = carry(
            single, what.revision.release, ["sh", f"ROOM/{single.name}"], older=allow_downgrade
        )
        roll_out(this, target, act)


def _system(wanted: str) -> str:
    system = wanted or here()
    if system in PLATFORMS:
        return system
    given = f"--platform is '{wanted}'" if wanted else f"this machine is {system}"
    raise TaskError(f"{given}: bundles are for {', '.join(PLATFORMS)} (see --platform)")
