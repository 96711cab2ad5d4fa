"""tasks.lib.revision: the release id of each state of the source."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tasks.lib import project, revision

from tests.conftest import Bake
from tests.support import commit, commit_change, run


@pytest.fixture
def folder(bake: Bake) -> Path:
    return bake(git=True)


def release(folder: Path) -> str:
    return revision.current(project.load(folder)).release


def head(folder: Path) -> str:
    return run(["git", "rev-parse", "HEAD"], cwd=folder).stdout[:12]


def test_a_commit_is_its_own_release(folder: Path) -> None:
    found = revision.current(project.load(folder))
    assert found.release == f"0.1.0+{head(folder)}"
    assert found.epoch == 1767225600  # 2026-01-01, the date of the commit
    assert not found.dirty


def test_each_change_is_another_release(folder: Path) -> None:
    seen = {release(folder)}
    for text in ("a", "b"):
        (folder / "src/my_service/more.py").write_text(f"# {text}\n")
        seen.add(release(folder))
        assert release(folder).startswith(f"0.1.0+{head(folder)}.dirty.")
    (folder / "src/my_service/more.py").chmod(0o755)
    seen.add(release(folder))
    assert len(seen) == 4
    commit_change(folder)
    assert release(folder) == f"0.1.0+{head(folder)}"


def test_what_python_and_editors_leave_is_no_change(folder: Path) -> None:
    before = revision.digest(folder)
    cache = folder / "src/my_service/__pycache__"
    cache.mkdir()
    (cache / "app.cpython-313.pyc").touch()
    for name in (".app.py.swp", "app.py~", ".#app.py", ".DS_Store", ".env", ".mypy_cache/x"):
        path = folder / "src/my_service" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (folder / "docs/more.md").parent.mkdir(exist_ok=True)
    (folder / "docs/more.md").touch()
    assert revision.digest(folder) == before


def test_data_with_a_dot_before_its_name_is_a_change(folder: Path) -> None:
    before = revision.digest(folder)
    data = folder / "src/my_service/static/.well-known/security.txt"
    data.parent.mkdir(parents=True)
    data.touch()
    assert revision.digest(folder) != before


def test_without_git_the_content_is_the_release(
    bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = bake(), bake()
    assert release(one) == release(other)
    assert release(one).startswith("0.1.0+src.")
    (one / "invoke.yaml").write_text("deploy: {}\n")
    assert release(one) != release(other)
    monkeypatch.setenv("PATH", "")
    commit_free = revision.current(project.load(other))
    assert (commit_free.commit, commit_free.dirty, commit_free.epoch) == (None, False, 315532800)


def test_a_repository_around_an_unknown_project_says_nothing_of_it(
    bake: Bake, tmp_path: Path
) -> None:
    (tmp_path / "README").touch()
    commit(tmp_path)
    inner = shutil.copytree(bake(), tmp_path / "my-service")
    assert release(inner).startswith("0.1.0+src.")
    commit_change(tmp_path)
    assert release(inner) == f"0.1.0+{head(tmp_path)}"


def test_a_given_source_date_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    assert revision.current(project.load(folder)).epoch == 1234567890


def test_a_repository_without_a_commit(bake: Bake) -> None:
    made = bake()
    subprocess.run(["git", "init", "--quiet", made], check=True)
    assert release(made).startswith("0.1.0+src.")
