"""Completes a release: checks, artefacts, what goes to its page, and at last the tag."""

import shutil
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from ..deploy.build import publish, release_tree, signing
from ..deploy.build.plan import Plan, decide
from ..deploy.settings import Settings
from ..lib import git
from ..lib.console import TaskError, step
from ..lib.project import Project
from ..lib.steps import Step
from . import branches, changelog, checks, page, provenance, tagging
from .branches import Branches
from .settings import ReleaseSettings
from .starting import CHANGELOG, announces, require_clean
from .versions import tags

_QUADRANTS = f"{__package__.rpartition('.')[0]}.deploy"
FOLDER = "release"
"""Where releases lie in `dist/`, a folder for each version."""


@dataclass(frozen=True)
class Release:
    """A release that is to be completed: the checked-out commit, and what becomes of it."""

    plan: Plan
    wanted: ReleaseSettings
    tag: tagging.Tag
    branches: Branches
    checked: bool
    """Whether the checks have passed elsewhere."""

    @property
    def project(self) -> Project:
        """The project."""
        return self.plan.project

    @property
    def folder(self) -> Path:
        """Where the whole release lies when it is complete."""
        return self.project.dist / FOLDER / self.project.version

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest says, by which a release is known again."""
        facts = {name: value for name, value in self.plan.facts().items() if name != "quadrant"}
        return {
            "holds": "release",
            **facts,
            "tag": self.tag.name,
            "quadrants": list(self.wanted.quadrants),
            "python": self.plan.interpreter.version,
        }

    @property
    def steps(self) -> list[Step]:
        """What is to be done, in its order: the tag comes last, as it cannot be taken back."""
        version, whole = self.project.version, self.is_whole
        return [
            *([] if self.checked else [self._checks()]),
            *(Step(f"artefacts of deploy.{name}", whole, partial(self._build, name))
              for name in self.wanted.quadrants),
            Step(f"dist/{FOLDER}/{version}/", whole, self._collect),
            self._forward(self.branches.main),
            Step(f"the tag {self.tag.name}", self.tag.exists, self.tag.make),
            *map(self._forward, self.branches.others),
        ]  # fmt: skip

    def is_whole(self) -> bool:
        """Return whether this very release is published, with every byte unchanged."""
        if publish.read_manifest(self.folder) != self.facts:
            return False
        settings, program = self.plan.settings, self.project.program
        return not (publish.verify(self.folder) or signing.verify(self.folder, settings, program))

    def _checks(self) -> Step:
        this = self.project
        return Step("checks", partial(checks.passed, this), partial(checks.check, this))

    def _forward(self, branch: str) -> Step:
        """Return the step that moves a branch forward; one with commits of its own stays."""
        root = self.project.root
        return Step(
            f"{branch}, where it is behind",
            lambda: not is_behind(root, branch),
            # Git refuses to move a branch that is checked out in another work tree.
            lambda: git.run(
                root, "fetch", "--quiet", "--no-tags", ".", f"HEAD:refs/heads/{branch}"
            ),
        )

    def _build(self, name: str) -> None:
        builder = import_module(f"{_QUADRANTS}.{name.replace('-', '_')}.build")
        plan = decide(builder.QUADRANT, self.project, self.plan.settings)
        builder.build(plan)

    def _collect(self) -> None:
        settings = self.plan.settings
        changes = (self.project.root / CHANGELOG).read_text(encoding="utf-8")
        with step("provenance, checksums, the page's text"), publish.staging(self.folder) as made:
            for name in self.wanted.quadrants:
                self._add(self.project.dist / name, made / name)
            provenance.write(made, self.project, self.facts, self.wanted.builder)
            publish.write_manifest(made, self.facts)
            news = changelog.section(changes, self.project.version) or ""
            page.write(made, self.project, news, settings)
            publish.write_checksums(made)
            signing.sign(made, settings)
            release_tree.normalise(made, self.plan.revision.epoch)

    def _add(self, published: Path, into: Path) -> None:
        """Copy what a quadrant published; raise `TaskError` if it is not of this release."""
        wrong = publish.verify(published)
        if publish.read_manifest(published).get("release") != self.plan.revision.release:
            wrong = [f"it is not of {self.plan.revision.release}"]
        if wrong:
            raise TaskError(f"dist/{published.name} cannot be released: {wrong[0]}")
        shutil.copytree(published, into)


def prepare(
    project: Project, settings: Settings, wanted: ReleaseSettings, *, checked: bool
) -> Release:
    """Return the release of the commit that is checked out.

    Raises `TaskError` for a commit that is not the end of its release branch, of main, or the
    release's own; for changes that are in no commit; and for what no build accepts.
    """
    root, version = project.root, project.version
    require_clean(root)
    known = tags(project)
    tag = tagging.Tag(project, known.name(version), settings)
    head, tagged = git.run(root, "rev-parse", "HEAD"), known.commit(version)
    if tagged and tagged != head:
        raise TaskError(
            f"{tag.name} is another commit, {tagged[:12]}: check that out to complete it "
            f"(git switch --detach {tag.name}), or begin the next release"
        )
    if not announces(root, "HEAD", version):
        raise TaskError(
            f"{CHANGELOG} has no section {version}: `invoke release.start` begins a release"
        )
    here = git.run(root, "branch", "--show-current")
    named = branches.load(root)
    main, prepared = named.main, named.of(version)
    if here not in (main, prepared) and not tagged:
        raise TaskError(
            f"you are on {here or head[:12]}: releases are made on {prepared} or {main}"
        )
    if not tagged and not contains(root, main) and not is_behind(root, main):
        raise TaskError(
            f"{main} has commits that {here} has not: merge them (git merge {main}), "
            "and run this again"
        )
    plan = decide(wanted.quadrants[0] if wanted.quadrants else "", project, settings)
    return Release(plan, wanted, tag, named, checked)


def contains(root: Path, branch: str) -> bool:
    """Return whether a branch, if there is one, has the commit that is checked out."""
    asked = git.ask(root, "merge-base", "--is-ancestor", "HEAD", f"refs/heads/{branch}")
    return asked.returncode == 0 or not _exists(root, branch)


def is_behind(root: Path, branch: str) -> bool:
    """Return whether a branch need only move forward to the commit that is checked out."""
    if contains(root, branch):
        return False
    asked = git.ask(root, "merge-base", "--is-ancestor", f"refs/heads/{branch}", "HEAD")
    return asked.returncode == 0


def _exists(root: Path, branch: str) -> bool:
    return git.ask(root, "show-ref", "--verify", "--quiet", f"refs/heads/{branch}").returncode == 0
