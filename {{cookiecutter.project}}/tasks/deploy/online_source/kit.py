"""Packs what a host needs to make a release of one commit by itself."""

import json
import shutil
import tarfile
from pathlib import Path

from ...lib.environment import Environment, pinned
from ..build import publish, release_tree
from ..build.plan import Plan
from ..build.render import render
from .commit import Commit

SCRIPTS_FOLDER = Path("deploy/online-source")
_SCRIPTS = ("install.py", "bill.py", "common.py", "source.py", "environment.py", "layout.py")
_PACKAGES = "import site, sys; site.addsitedir(sys.argv.pop(1)); "
"""Lets a command find the packages of its release; its first argument is their folder."""


def pack(commit: Commit, plan: Plan, environment: Environment, work: Path) -> Path:
    """Return the kit, an archive in the folder `work`.

    `environment` must have `packaging`. Raises `TaskError` where the lock cannot be read.
    """
    kit = work / plan.project.program
    release = kit / "release"
    (release / "bin").mkdir(parents=True)
    root = plan.project.root
    for name in _SCRIPTS:
        shutil.copyfile(root / SCRIPTS_FOLDER / name, kit / name)
    _write(kit / "requirements.txt", pinned(plan.project, "packages"))
    _write(kit / "release.json", plan.revision.stamp(plan.project.serves))
    _write(kit / "source.json", json.dumps(_facts(commit, plan), indent=2))
    launcher = (root / SCRIPTS_FOLDER / "launcher.sh").read_text(encoding="utf-8")
    for entry in plan.project.entry_points:
        values = {"program": entry.command, "code": _PACKAGES + entry.code}
        _write(release / "bin" / entry.command, render(launcher, values))
    publish.write_manifest(release, {**plan.facts(), "python": plan.project.python})
    # Each commit is a release of its own: two commits of one version can be installed side by side.
    more = {"version": name_of(plan), "machine": "%MACHINE%", "glibc": "none"}
    release_tree.add_engine(release, plan.project, "%PYTHON%")
    release_tree.add_host(release, plan, environment, more)
    archive = work / f"{plan.project.program}.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(kit, kit.name)
    return archive


def name_of(plan: Plan) -> str:
    """Return the name that the release has on hosts: version and commit."""
    return f"{plan.project.version}-{(plan.revision.commit or '')[:12]}"


def _facts(commit: Commit, plan: Plan) -> dict[str, str]:
    return {
        "repository": commit.repository,
        "commit": commit.id,
        "tag": commit.tag,
        "folder": commit.folder,
        "package": plan.project.package,
        "python": plan.project.python,
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
