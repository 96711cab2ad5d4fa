"""The locks: they hold on every Python offered, name no package index, and fit their Pipfiles."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from tasks.lib import project
from tasks.lib.interpreter import find, present
from tasks.lib.lock import LockError, admits, categories, require_fitting, requirements
from tasks.lib.pythons import require_usable

from tests.conftest import Bake
from tests.support import KINDS, PROJECT, PYTHONS, ROOT, missing, run

LOCKS = {
    "template": ROOT / "Pipfile.lock",
    "project": PROJECT / "Pipfile.lock",
    **{lock.parent.name: lock for lock in PROJECT.glob("kinds/*/Pipfile.lock")},
    "heavier": ROOT / "tests/e2e/heavy/Pipfile.lock",
}
OWN = {name: LOCKS[name] for name in ("template", "heavier")}
# A machine need not have every Python that is offered. For those that are not here,
# test_every_package_has_a_locked_wheel_for_it still unpacks the locked wheels.
HERE = [version for version in PYTHONS if present(version)]
LEAST = 2


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """Return a requirements file with all categories of the project's lock."""
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


def verify(lock: Path, folder: Path) -> None:
    """Check that Pipenv and the tasks find that a lock fits the Pipfile beside it."""
    for name in ("Pipfile", "Pipfile.lock"):
        shutil.copy(lock.with_name(name), folder)
    # pipenv hashes a package index in pip's settings as a part of the Pipfile.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    plain["PIP_CONFIG_FILE"] = os.devnull
    run([sys.executable, "-m", "pipenv", "verify"], cwd=folder, env=plain)
    require_fitting(lock)


@pytest.mark.parametrize("lock", OWN.values(), ids=OWN)
def test_the_lock_fits_its_pipfile(lock: Path, tmp_path: Path) -> None:
    verify(lock, tmp_path)


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_fits_the_pipfile_of_each_answer(
    bake: Bake, kind: str, version: str, tmp_path: Path
) -> None:
    made = project.load(bake(kind=kind, python_version=version))
    verify(made.lock, tmp_path)
    require_usable(made)


PIPFILE = """[packages]
Click = "<9"
uvicorn = {extras = ["standard"], version = ">=0.30"}

[my-tools]
tool_x = "*"
"""
MIRROR = "https://user:pass" + "@mirror.example/simple"
# Writes a lock with pipenv's own code for its `_meta`, without asking an index.
LOCKING = """
import json, sys
from pipenv.project import Project
section = {"click": {"version": "==8.1.0", "index": "pypi"}, "h11": {"version": "==0.14.0"},
           "uvicorn": {"version": "==0.30.1", "extras": ["standard"]}}
tools = {"tool-x": {"version": "==1!2.0", "index": "pypi"}}
meta = Project().lockfile.meta()
print(json.dumps({"_meta": meta, "default": section, "develop": {}, "my-tools": tools}))
"""
INDEXES: dict[str, dict[str, str]] = {
    "none": {},
    "a mirror": {"PIP_INDEX_URL": MIRROR},
    "one more": {"PIP_EXTRA_INDEX_URL": "https://more.example/simple"},
    "many": {"PIP_INDEX_URL": MIRROR, "PIP_EXTRA_INDEX_URL": "file:///a file:///b"},
}


@pytest.fixture(scope="module", params=INDEXES)
def locked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lock as pipenv makes it on a machine whose pip settings name some index, or none."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "Pipfile").write_text(PIPFILE)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    plain |= {
        "PIP_CONFIG_FILE": os.devnull,
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        **INDEXES[request.param],
    }
    made = run([sys.executable, "-c", LOCKING], cwd=folder, env=plain).stdout
    (folder / "Pipfile.lock").write_text(made)
    return folder / "Pipfile.lock"


def changed(lock: Path, before: str, after: str) -> Path:
    """Return a copy of the lock beside a Pipfile in which something is changed."""
    folder = lock.parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    assert before in PIPFILE
    (folder / "Pipfile").write_text(PIPFILE.replace(before, after))
    return Path(shutil.copy(lock, folder))


def test_a_lock_fits_wherever_it_was_made(locked: Path) -> None:
    require_fitting(locked)


HARMLESS = [("Click", "click"), ("tool_x", '"Tool.X"'), ("[my-", "# a remark\n[my-")]


@pytest.mark.parametrize(("before", "after"), HARMLESS)
def test_spelling_is_no_change(locked: Path, before: str, after: str) -> None:
    require_fitting(changed(locked, before, after))


STALE = [
    ('Click = "<9"\n', ""),
    ("[my-", 'flask = "*"\n[my-'),
    ('"<9"', '"<8"'),
    ('"<9"', '{version = "==8.2.*", index = "pypi"}'),
    ('["standard"]', '["standard", "more"]'),
    ("[my-tools]", "[other-tools]"),
]


@pytest.mark.parametrize(("before", "after"), STALE)
def test_a_stale_lock_is_told(locked: Path, before: str, after: str) -> None:
    with pytest.raises(
        LockError, match=r"^Pipfile.lock does not fit its Pipfile: run `invoke deps.lock`"
    ):
        require_fitting(changed(locked, before, after))


@pytest.mark.parametrize("lock", OWN.values(), ids=OWN)
def test_a_lock_from_the_template_is_held_to_the_letter(lock: Path, tmp_path: Path) -> None:
    shutil.copy(lock, tmp_path)
    text = lock.with_name("Pipfile").read_text("utf-8")
    (tmp_path / "Pipfile").write_text(text.replace('"*"', '"<999"', 1))
    with pytest.raises(LockError, match="does not fit"):
        require_fitting(tmp_path / lock.name)


@pytest.mark.parametrize(
    ("pipfile", "lock", "why"),
    [
        (PIPFILE, None, "there is no Pipfile.lock: run `invoke deps.lock`"),
        (PIPFILE, "{", "cannot read Pipfile.lock: .*; run `invoke deps.lock`"),
        (None, "{}", "there is no Pipfile, which says what is locked"),
        ("[packages", "{}", "cannot read Pipfile: "),
        ("packages = 1", "{}", "cannot read Pipfile: 'packages' is no table of packages"),
        (PIPFILE, "{}", "Pipfile.lock does not fit its Pipfile: run `invoke deps.lock`"),
    ],
)
def test_what_cannot_be_read_does_not_fit(
    pipfile: str | None, lock: str | None, why: str, tmp_path: Path
) -> None:
    for name, text in (("Pipfile", pipfile), ("Pipfile.lock", lock)):
        if text is not None:
            (tmp_path / name).write_text(text)
    with pytest.raises(LockError, match=f"^{why}"):
        require_fitting(tmp_path / "Pipfile.lock")


@pytest.mark.parametrize("wanted", [
    "*", "==1.5", "== 1.5.0", "==1.*", "!=1.4", "!=2.*", ">=1.5", "<=1.5", ">1.4.9", "<1.10",
    "~=1.4", "~=1.5.0", ">=1,<2", ">=1.5rc1", "===1.5",
])  # fmt: skip
def test_a_version_that_is_admitted(wanted: str) -> None:
    assert admits(wanted, "==1.5")


@pytest.mark.parametrize("wanted", [
    "==1.4", "==1.4.*", "!=1.5", "!=1.*", ">=1.5.1", "<=1.4", ">1.5", "<1.5", "~=1.6", "~=1.4.0",
    "~=0.5", ">=1,<1.5",
])  # fmt: skip
def test_a_version_that_is_not(wanted: str) -> None:
    assert not admits(wanted, "==1.5")
