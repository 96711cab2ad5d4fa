"""tasks.deploy.build.sbom: it lists what is in the program, and nothing that only built it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tasks.deploy.build import sbom
from tasks.lib.environment import Environment
from tasks.lib.project import Project

from tests.tasks.conftest import Processes

INSTALLED: dict[str, Any] = {
    "components": [
        {"name": "Click", "bom-ref": "click==8.1", "purl": "pkg:pypi/click@8.1"},
        {"name": "pyinstaller", "bom-ref": "pyinstaller==6", "purl": "pkg:pypi/pyinstaller@6"},
    ],
    "dependencies": [
        {"ref": "click==8.1", "dependsOn": ["pyinstaller==6"]},
        {"ref": "pyinstaller==6", "dependsOn": ["click==8.1"]},
    ],
    "metadata": {"tools": []},
}


@pytest.fixture
def document(small: Project, environment: Environment, processes: Processes) -> dict[str, Any]:
    def write(argv: list[str]) -> None:
        Path(argv[argv.index("--output-file") + 1]).write_text(json.dumps(INSTALLED))

    processes.answer("cyclonedx-py", does=write)
    return sbom.collect(small, environment, Path("/python"), "3.13.5")


def test_only_what_is_locked_for_the_program_is_in_it(document: dict[str, Any]) -> None:
    click, python = document["components"]
    assert click["name"] == "Click"
    hashes = [part["content"] for part in click["externalReferences"][0]["hashes"]]
    assert hashes == ["aa", "bb"]
    assert (python["name"], python["version"]) == ("cpython", "3.13.5")
    assert document["dependencies"] == [{"ref": "click==8.1"}]


def test_the_project_is_at_its_root(
    document: dict[str, Any], small: Project, tmp_path: Path
) -> None:
    sbom.write(tmp_path / "sbom.json", document, small, "1.0+x")
    written = json.loads((tmp_path / "sbom.json").read_text())
    root = written["metadata"]["component"]
    assert (root["name"], root["version"]) == ("My.Service", "1.0+x")
    assert written["metadata"]["tools"] == []
    depends = {edge["ref"]: edge.get("dependsOn") for edge in written["dependencies"]}
    assert depends[root["bom-ref"]] == ["click==8.1", "cpython==3.13.5"]
