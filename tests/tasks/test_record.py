"""tasks.deploy.build.record: an unchanged build does nothing, any other one is made."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.deploy.build import bases, publish, record
from tasks.deploy.build.plan import Plan
from tasks.deploy.settings import Settings


class Build:
    """Makes an artefact on a base, and counts how often."""

    def __init__(self, plan: Plan) -> None:
        self.cache = plan.build
        self.times = 0

    def __call__(self, output: Path) -> Path:
        self.times += 1
        (output / "artefact").write_text("made")
        (output / publish.SBOM).write_text("{}")
        publish.write_manifest(output, {"name": "x"})
        return bases.obtain(self.cache, [], [], lambda _: [])


@pytest.fixture
def build(plan: Plan) -> Build:
    made = Build(plan)
    assert record.build_once(plan, made, python="3.13")
    return made


def test_what_is_published_is_whole_and_read_only(plan: Plan, build: Build) -> None:
    assert publish.verify(plan.dist) == []
    assert (plan.dist / "artefact").stat().st_mode & 0o777 == 0o444
    assert (plan.dist / "artefact").stat().st_mtime == plan.revision.epoch


def test_an_unchanged_build_does_nothing(plan: Plan, build: Build) -> None:
    assert not record.build_once(plan, build, python="3.13")
    assert build.times == 1


CHANGES: dict[str, Callable[[Plan], Plan]] = {
    "source": lambda plan: replace(plan, revision=replace(plan.revision, inputs="00")),
    "settings": lambda plan: replace(plan, settings=Settings(keep_releases=9)),
    "system": lambda plan: replace(plan, system="linux-other"),
    "onefile": lambda plan: replace(plan, onefile=True),
    "interpreter": lambda plan: replace(plan, interpreter=replace(plan.interpreter, build="x")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_decides_a_build_makes_it_anew(
    plan: Plan, build: Build, change: Callable[[Plan], Plan]
) -> None:
    assert not record.is_published(change(plan), python="3.13")


def test_another_fact_makes_it_anew(plan: Plan, build: Build) -> None:
    assert record.is_published(plan, python="3.13")
    assert not record.is_published(plan, python="3.14")


def damage(plan: Plan) -> None:
    (plan.dist / "artefact").chmod(0o644)
    (plan.dist / "artefact").write_text("other")


def lose_the_checksums(plan: Plan) -> None:
    (plan.dist / publish.CHECKSUMS).unlink()


def lose_the_base(plan: Plan) -> None:
    [base] = plan.build.glob("base-*")
    (base / "libraries-seen.json").unlink()


def spoil_the_record(plan: Plan) -> None:
    (plan.build / "published.json").write_text("{")


@pytest.mark.parametrize("harm", [damage, lose_the_checksums, lose_the_base, spoil_the_record])
def test_what_is_not_whole_is_made_anew(
    plan: Plan, build: Build, harm: Callable[[Plan], None]
) -> None:
    harm(plan)
    assert record.build_once(plan, build, python="3.13")
    assert build.times == 2
    assert publish.verify(plan.dist) == []


def test_a_build_that_fails_leaves_what_was_published(plan: Plan, build: Build) -> None:
    def fail(output: Path) -> Path:
        (output / "half").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record.build_once(plan, fail, python="3.14")
    assert record.is_published(plan, python="3.13")
    assert not (plan.dist / "half").exists()
