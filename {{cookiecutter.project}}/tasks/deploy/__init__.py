"""The deployment quadrants, and what works on any published artefact."""

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context

from .. import project
from ..console import TaskError, closing
from ..task import task
from . import artifact
from . import offline_binary as binary
from .plan import plan
from .settings import read


@task(
    help={
        "onefile": "Make one executable file instead of an archive and packages.",
        "python": "Build with this Python (X.Y) instead of the one in .python-version.",
        "dry-run": "Print the plan and change nothing.",
    }
)
def offline_binary(
    context: Context, onefile: bool = False, python: str = "", dry_run: bool = False
) -> None:
    """Build a program, an archive, a .deb and an .rpm that need nothing on the target."""
    settings = read(context.config.get("deploy", {}))
    what = plan(binary.QUADRANT, project.load(), settings, python=python, onefile=onefile)
    (binary.describe if dry_run else binary.build)(what)


@task(help={"path": "A published folder such as dist/offline-binary, or one file in it."})
def verify(_context: Context, path: str) -> None:
    """Check published artefacts against their checksums."""
    wrong = artifact.verify(Path(path))
    if wrong:
        raise TaskError(f"{path} is not as it was published:\n  " + "\n  ".join(wrong))
    facts = artifact.read_manifest(Path(path) if Path(path).is_dir() else Path(path).parent)
    closing(f"{path} is whole", {"release": facts["release"], "python": facts["python"]})


collection = Collection(offline_binary, verify)
