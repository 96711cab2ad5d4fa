"""Write the bill of materials of a release that was made here: every package that is in it."""

import json
import re
from importlib.metadata import distributions
from pathlib import Path

FILE = "sbom.cdx.json"


def write(tree: Path, name: str, release: str) -> None:
    """Write the bill of the release `tree`, whose packages lie in `packages`, as CycloneDX."""
    found = {
        (re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(), each.version)
        for each in distributions(path=[str(tree / "packages")])
    }
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "version": release}},
        "components": [
            {
                "type": "library",
                "bom-ref": f"{package}=={version}",
                "name": package,
                "version": version,
                "purl": f"pkg:pypi/{package}@{version}",
            }
            for package, version in sorted(found)
        ],
    }
    text = json.dumps(document, indent=2) + "\n"
    (tree / FILE).write_text(text, encoding="utf-8")
