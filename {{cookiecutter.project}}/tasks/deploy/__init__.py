"""The deployment quadrants, and what works on any published artefact."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context

from ..console import TaskError, closing
from ..task import task
from . import artifact

QUADRANTS = ("offline_binary",)


@task(help={"path": "A published folder such as dist/offline-binary, or one file in it."})
def verify(_context: Context, path: str) -> None:
    """Check published artefacts against their checksums."""
    given = Path(path)
    wrong = artifact.verify(given)
    if wrong:
        raise TaskError(f"{path} is not as it was published:\n  " + "\n  ".join(wrong))
    facts = artifact.read_manifest(given if given.is_dir() else given.parent)
    closing(f"{path} is whole", {name: str(facts.get(name)) for name in ("release", "python")})


collection = Collection(verify)
for name in QUADRANTS:
    if find_spec(f"{__name__}.{name}"):  # a project may have deleted those that it has no use for
        collection.add_task(getattr(import_module(f".{name}", __name__), name))
