"""Where the release id comes from."""

import json
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Make a package folder in a checkout of version 4.5.6."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "4.5.6"\n')
    package = tmp_path / "src" / "package"
    package.mkdir(parents=True)
    return package


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "2.0")


@pytest.mark.usefixtures("_installed")
def test_built(runtime: ModuleType, package: Path) -> None:
    facts = {"version": "1.2.3", "commit": "f" * 40, "release": "1.2.3+ffffffffffff"}
    (package / "release.json").write_text(json.dumps(facts))
    assert vars(runtime.release.current(package)) == facts


@pytest.mark.usefixtures("_installed")
def test_installed(runtime: ModuleType, package: Path) -> None:
    found = runtime.release.current(package)
    assert (found.version, found.commit, found.release) == ("2.0", None, "2.0")


def test_checked_out(runtime: ModuleType, package: Path) -> None:
    found = runtime.release.current(package)
    assert (found.version, found.commit, found.release) == ("4.5.6", None, "4.5.6+dev")


def test_unknown(runtime: ModuleType, package: Path) -> None:
    (package.parents[1] / "pyproject.toml").unlink()
    assert runtime.release.current(package).release == "unknown"
