"""The deployment quadrants, and what works on any published artefact."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context

from ..lib import project
from ..lib.console import TaskError, closing
from ..lib.task import task
from . import operations, settings
from .build import affected, keys, publish, signing

QUADRANTS = ("online_source", "offline_source", "offline_binary")


@task(
    help={
        "path": "A published folder such as dist/offline-binary, or one file in it.",
        "advisories": "Also ask this file (invoke deps.advisories) if vulnerabilities affect it.",
    }
)
def verify(context: Context, path: str, advisories: str = "") -> None:
    """Check published artefacts against their checksums, and those against their signature."""
    given, known = Path(path), settings.read(context.config.get("deploy", {}))
    folder = given if given.is_dir() else given.parent
    wrong = publish.verify(given) + signing.verify(folder, known, project.load().program)
    if wrong:
        raise TaskError(f"{path} is not as it was published:\n  " + "\n  ".join(wrong))
    facts = publish.read_manifest(folder)
    rows = {name: str(facts.get(name)) for name in ("release", "python")}
    rows["signature"] = signing.state(folder, known)
    if advisories:
        age = affected.require_clean(project.load(), folder, Path(advisories))
        rows["vulnerable"] = f"nothing known ({age})"
    closing(f"{path} is whole", rows)


@task(help={"path": "The new folder for them (default: ~/.config/NAME/signing)."})
def keygen(_context: Context, path: str = "") -> None:
    """Make the keys that sign what is built; none is ever overwritten."""
    this = project.load()
    keys.report(keys.make(Path(path) if path else keys.default(this), this), this)


collection = Collection(operations.history, keygen, operations.rollback, operations.status, verify)
for name in QUADRANTS:
    if find_spec(f"{__name__}.{name}"):  # a project may have deleted those that it does not need
        collection.add_task(getattr(import_module(f".{name}", __name__), name))
