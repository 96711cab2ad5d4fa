"""The locks: they hold on every Python offered, name no package index, and fit their Pipfiles."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from tasks.interpreter import find, present
from tasks.lock import categories, requirements

from tests.support import PROJECT, PYTHONS, ROOT, missing, run

LOCKS = {
    "template": ROOT / "Pipfile.lock",
    "project": PROJECT / "Pipfile.lock",
    "heavier": ROOT / "tests/e2e/heavy/Pipfile.lock",
}
# A machine need not have every Python that is offered: on those that are not here the lock is
# unpacked all the same, see test_every_package_has_a_locked_wheel_for_it.
HERE = [version for version in PYTHONS if present(version)]
LEAST = 2


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """Give the requirements file of all categories of the project's lock together."""
    listing = tmp_path / "requirements.txt"
    listing.write_text(requirements(LOCKS["project"], categories(LOCKS["project"])), "utf-8")
    return listing


@pytest.mark.parametrize("version", HERE)
def test_all_categories_install_together(version: str, everything: Path) -> None:
    folder = everything.parent
    run(["uv", "venv", "--python", find(version).path, "environment"], cwd=folder)
    environment = ["--python", "environment"]
    run(["uv", "pip", "sync", *environment, "--require-hashes", everything], cwd=folder)
    said = run(["uv", "pip", "check", *environment], cwd=folder).stderr
    assert "All installed packages are compatible" in said


def test_enough_of_the_pythons_offered_are_here() -> None:
    if len(HERE) < LEAST:
        missing(f"all but {len(HERE)} of Python {', '.join(PYTHONS)}")


@pytest.mark.parametrize("version", PYTHONS)
def test_every_package_has_a_locked_wheel_for_it(version: str, everything: Path) -> None:
    """Unpack the wheels for a Python that need not be here."""
    install = ["uv", "pip", "install", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    target = ["--target", "target", "--python-version", version]
    run([*install, *target, "--requirement", everything], cwd=everything.parent)


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_no_package_index_is_named(lock: Path) -> None:
    assert json.loads(lock.read_text("utf-8"))["_meta"]["sources"] == []
    assert '"index"' not in lock.read_text("utf-8")


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_the_lock_fits_its_pipfile(lock: Path, tmp_path: Path) -> None:
    for name in ("Pipfile", "Pipfile.lock"):
        shutil.copy(lock.with_name(name), tmp_path)
    # A package index in pip's settings counts for pipenv as a part of the Pipfile.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    plain["PIP_CONFIG_FILE"] = os.devnull
    run([sys.executable, "-m", "pipenv", "verify"], cwd=tmp_path, env=plain)
