"""tasks.lib.pythons: a lock that does not serve every Python of the project is refused by name."""

import json
from pathlib import Path

import pytest
from tasks.lib import pythons
from tasks.lib.lock import LockError
from tasks.lib.project import Project

from tests.tasks.conftest import CATEGORIES, INDEX, LOCKED

OLD = "python_version < '3.13'"


def lock(small: Project, **default: object) -> None:
    """Write a lock whose default section also has other entries."""
    sections: dict[str, object] = {name: {"click": LOCKED} for name in CATEGORIES[1:]}
    sections["default"] = {"click": LOCKED, **default}
    small.lock.write_text(json.dumps({"_meta": {"sources": [INDEX]}, **sections}))


def pipfile(small: Project, rows: str) -> None:
    """Add rows to the Pipfile's `[packages]`."""
    path = small.lock.with_name("Pipfile")
    path.write_text(path.read_text().replace("[packages]\n", f"[packages]\n{rows}\n"))


def installed(site: Path, name: str, *needs: str) -> None:
    """Write the metadata of an installed package."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    text = "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)])
    (folder / "METADATA").write_text(f"{text}\n")


def test_the_project_is_served(small: Project) -> None:
    pythons.require_usable(small)
    assert pythons.in_order(small) == ["3.12", "3.13"]
    assert pythons.oldest(small) == "3.12"


@pytest.mark.parametrize("required", ["3.12", "3.14"])
def test_two_files_that_name_different_pythons(small: Project, required: str) -> None:
    path = small.lock.with_name("Pipfile")
    path.write_text(f'{path.read_text()}[requires]\npython_version = "{required}"\n')
    with pytest.raises(LockError) as refused:
        pythons.require_usable(small)
    assert str(refused.value) == (
        f"the Pipfile requires Python {required}, but .python-version names 3.13: "
        "write the same into both, and run `invoke deps.lock`"
    )


def test_a_package_that_is_locked_for_some_pythons(small: Project) -> None:
    pipfile(small, 'tool = "*"')
    lock(small, tool={**LOCKED, "markers": OLD, "index": "mirror"})
    with pytest.raises(LockError) as refused:
        pythons.require_usable(small)
    assert str(refused.value) == (
        f"Pipfile.lock does not serve Python 3.13: tool 8.1 is for {OLD}: run `invoke deps.lock`"
    )


def test_a_package_that_only_some_pythons_ask_for(small: Project) -> None:
    pipfile(small, f'tool = {{version = "*", markers = "{OLD}"}}')
    lock(small, tool={**LOCKED, "markers": OLD})
    pythons.require_usable(small)


def test_a_package_that_is_not_locked(small: Project) -> None:
    pipfile(small, 'tool = "*"')
    with pytest.raises(LockError, match=r"^Pipfile.lock (does not fit|lacks tool)"):
        pythons.require_usable(small)


@pytest.mark.parametrize(
    ("need", "lacking", "cure"),
    [
        ("backport", "3.12, 3.13", "run `invoke deps.lock`"),
        ("backport; python_version < '3.13'", "3.12", "run `invoke deps.lock`"),
        (
            "Back.Port>=2; python_version >= '3.13'",
            "3.13",
            'write `back-port = {version = "*", markers = "python_version >= \'3.13\'"}` '
            "into the Pipfile, and run `invoke deps.lock`",
        ),
    ],
)
def test_what_an_installed_package_needs_elsewhere(
    small: Project, tmp_path: Path, need: str, lacking: str, cure: str
) -> None:
    installed(tmp_path / "site", "click", need, "other; extra == 'more'", "colors; os_name == 'nt'")
    needed = "back-port" if "Back" in need else "backport"
    with pytest.raises(LockError) as refused:
        pythons.require_whole(small, ["packages"], tmp_path / "site")
    assert str(refused.value) == (
        f"Pipfile.lock does not serve Python {lacking}: click needs {needed} there: {cure}"
    )
    lock(small, **{needed: LOCKED})
    pythons.require_whole(small, ["packages"], tmp_path / "site")


def test_an_extra_that_is_locked_counts(small: Project, tmp_path: Path) -> None:
    installed(tmp_path / "site", "click", "other; extra == 'more'")
    lock(small, click={**LOCKED, "extras": ["more"]})
    with pytest.raises(LockError, match="click needs other there"):
        pythons.require_whole(small, ["packages"], tmp_path / "site")
