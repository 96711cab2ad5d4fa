"""Writes the bill of materials: every locked package in the program, with licence and hashes."""

import json
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...lib import lock
from ...lib.environment import Environment
from ...lib.process import run
from ...lib.project import Project, normalised

_CPYTHON = "cpython"


def collect(project: Project, tools: Environment, python: Path, version: str) -> dict[str, Any]:
    """Return the CycloneDX document of the runtime packages of `python`, whose version is given.

    cyclonedx-py, one of the `tools`, reads licences and the dependency graph from the installed
    packages; the hashes come from the lock. Build tools that are installed there are left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "sbom.json")
        run(
            [tools.command("cyclonedx-py"), "environment", "--output-reproducible",
             "--output-format", "JSON", "--output-file", output, python],
        )  # fmt: skip
        document: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    locked = {normalised(k): v for k, v in lock.packages(project.lock, "packages").items()}
    kept = [c for c in document["components"] if normalised(c["name"]) in locked]
    for component in kept:
        entry = locked[normalised(component["name"])]
        component["externalReferences"] = [_distribution(component, entry)]
    document["components"] = [*kept, _interpreter(version)]
    references = {component["bom-ref"] for component in document["components"]}
    document["dependencies"] = [
        _within(edge, references)
        for edge in document.get("dependencies", ())
        if edge["ref"] in references
    ]
    return document


def write(path: Path, document: Mapping[str, Any], project: Project, release: str) -> None:
    """Write a collected document as the bill of one release of the project."""
    root = {
        "bom-ref": "root-component",
        "type": "application",
        "name": project.name,
        "version": release,
        "description": project.description,
        "licenses": [{"expression": project.license}],
    }
    pipfile = tomllib.loads((project.root / "Pipfile").read_text(encoding="utf-8"))
    asked = {normalised(name) for name in pipfile["packages"]} | {_CPYTHON}
    direct = [c["bom-ref"] for c in document["components"] if normalised(c["name"]) in asked]
    whole = {
        **document,
        "metadata": {**document.get("metadata", {}), "component": root},
        "dependencies": [*document["dependencies"], {"ref": root["bom-ref"], "dependsOn": direct}],
    }
    text = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def _distribution(component: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    hashes = [h.partition(":")[2] for h in entry["hashes"]]
    return {
        "type": "distribution",
        "url": component["purl"],
        "comment": "every file of this version that the lock admits",
        "hashes": [{"alg": "SHA-256", "content": content} for content in hashes],
    }


def _interpreter(version: str) -> dict[str, Any]:
    return {
        "bom-ref": f"{_CPYTHON}=={version}",
        "type": "platform",
        "name": _CPYTHON,
        "version": version,
        "cpe": f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
        "licenses": [{"license": {"id": "PSF-2.0"}}],
    }


def _within(edge: Mapping[str, Any], references: set[str]) -> dict[str, Any]:
    inner = [ref for ref in edge.get("dependsOn", ()) if ref in references]
    return {"ref": edge["ref"], **({"dependsOn": inner} if inner else {})}
