"""Releases: `release.start`, `release.publish`, and `release.repository` for package managers."""

from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context

from ..deploy import settings as deploy_settings
from ..deploy.build import publish, signing
from ..lib import git, project, steps
from ..lib.console import closing, size
from ..lib.task import task
from . import page, publishing, settings
from .publishing import Release, prepare
from .repositories import find, make
from .starting import begin

_DRY_RUN = "Print the plan and change nothing."


@task(
    help={
        "version": "The new version, such as 1.2.0 or 1.2.0rc1 (default: the commits decide).",
        "dry-run": _DRY_RUN,
    }
)
def start(_context: Context, version: str = "", *, dry_run: bool = False) -> None:
    """Begin a release on a branch from main, with its version and changelog; may be run again."""
    release = begin(project.load(), version)
    rows = {"version": f"{release.version}, after {release.last or 'none'}"}
    if dry_run:
        closing("plan of release.start", rows | steps.plan(release.steps))
        return
    fresh = steps.carry_out(release.steps)
    rows["look at"] = "git show"
    rows["next"] = "correct CHANGELOG.md and commit, then `invoke release.publish`"
    closing(f"release.start: {release.branch}{'' if fresh else ', as before'}", rows)


@task(
    help={
        "checks": "--no-checks leaves nox out, for a pipeline that has run it.",
        "dry-run": _DRY_RUN,
    }
)
def publish_release(context: Context, *, checks: bool = True, dry_run: bool = False) -> None:
    """Check, build, sign and tag the release that is checked out; may be run again."""
    this, config = project.load(), context.config
    wanted = settings.read(config.get("release", {}))
    built = deploy_settings.read(config.get("deploy", {}))
    release = prepare(this, built, wanted, checked=not checks)
    if dry_run:
        rows = {"release": release.plan.revision.release}
        closing("plan of release.publish", rows | steps.plan(release.steps))
        return
    with publish.exclusive(this.build / "release"):
        steps.carry_out(release.steps)
    _report(release)


@task(
    help={
        "path": "The repository's folder (default: dist/repository).",
        "url": "Where machines will find it (default: file:///srv/NAME).",
        "only": "apt or yum (default: both).",
        "dry-run": _DRY_RUN,
    }
)
def repository(
    context: Context, path: str = "", url: str = "", only: str = "", *, dry_run: bool = False
) -> None:
    """Make an APT and a YUM repository of the packages in dist/, or add new packages to them."""
    this = project.load()
    known = deploy_settings.read(context.config.get("deploy", {}))
    signing.require(known)
    folder = Path(path).expanduser() if path else this.dist / "repository"
    with publish.exclusive(this.build / "release"):
        make(find(this, known, folder, url, only), dry_run=dry_run)


def _report(release: Release) -> None:
    root, folder = release.project.root, release.folder
    rows = {"release": release.plan.revision.release, "tag": release.tag.name}
    rows["signature"] = release.tag.state
    rows["where"] = f"{folder.relative_to(root).as_posix()}/"
    rows |= {name: size(folder / name) for name in page.artefacts(folder)}
    rows["page"] = f"{rows['where']}{page.FILE}"
    for remote in git.run(root, "remote").split()[:1]:
        rows["push"] = f"git push {remote} {release.branches.main} {release.tag.name}"
    for other in release.branches.others:
        if not publishing.contains(root, other):
            rows["merge"] = f"git switch {other} && git merge {release.tag.name}"
    closing(f"release.publish: {release.project.program} {release.project.version}", rows)


collection = Collection(start, repository)
collection.add_task(publish_release, "publish")
