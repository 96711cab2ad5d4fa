"""Where the release id comes from."""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result


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
def test_built(service: ModuleType, package: Path) -> None:
    facts = {"version": "1.2.3", "commit": "f" * 40, "release": "1.2.3+ffffffffffff"}
    (package / "release.json").write_text(json.dumps(facts))
    assert vars(service.release.current(package)) == facts


@pytest.mark.usefixtures("_installed")
def test_installed(service: ModuleType, package: Path) -> None:
    found = service.release.current(package)
    assert (found.version, found.commit, found.release) == ("2.0", None, "2.0")


def test_checked_out(service: ModuleType, package: Path) -> None:
    found = service.release.current(package)
    assert (found.version, found.commit, found.release) == ("4.5.6", None, "4.5.6+dev")


def test_unknown(service: ModuleType, package: Path) -> None:
    (package.parents[1] / "pyproject.toml").unlink()
    assert service.release.current(package).release == "unknown"


def test_version_command(run: Callable[..., Result], command: str, service: ModuleType) -> None:
    result = run("version")
    assert result.exit_code == 0
    assert result.output == f"{command} {service.release.current().release}\n"
