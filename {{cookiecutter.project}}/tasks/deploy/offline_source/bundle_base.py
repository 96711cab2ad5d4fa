"""The base of a bundle: what only the lock and the interpreter decide.

That is nearly all of it: interpreter, wheels and bytecode, packed. Each build puts the project's
own code on top, so the first build takes half a minute and the next ones a second or two.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..build.plan import Plan
from .carried_python import CarriedPython
from .launcher import TEMPLATE, Launcher

DEPENDENCIES = "PyPI"
BYTECODE_ARCHIVE = "bytecode.zip.xz"


@dataclass(frozen=True)
class BundleBase:
    """A bundle without the project's own code and the scripts."""

    folder: Path

    @property
    def bundle(self) -> Path:
        """Holds `PyPI/` and the interpreter."""
        return self.folder / "bundle"

    @property
    def home(self) -> CarriedPython:
        """The interpreter in the bundle."""
        (found,) = self.bundle.glob("Python*")
        return CarriedPython(found, found.name.removeprefix("Python"))

    @property
    def python(self) -> Path:
        """The interpreter as it is once installed, with all wheels and their bytecode."""
        return self.folder / "tree/python"

    @property
    def installer(self) -> Path:
        """The library that installs wheels, as a zip that Python imports from."""
        return self.folder / "installer.zip"

    def part(self) -> bytes:
        """Return the bundle packed, as a piece of an archive."""
        return (self.folder / "part.tar.gz").read_bytes()

    def launcher(self, plan: Plan) -> Launcher:
        """Return the writer of launchers for the interpreter in the bundle."""
        return Launcher(template(plan), self.home, self.facts()["glibc_floor"])

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says about interpreter and wheels."""
        return dict(json.loads((self.folder / "facts.json").read_text(encoding="utf-8")))

    def sbom(self) -> dict[str, Any]:
        """Return the bill of materials (a CycloneDX document)."""
        return dict(json.loads((self.folder / "sbom.json").read_text(encoding="utf-8")))


def template(plan: Plan) -> str:
    """Return the text of the project's launchers."""
    return (plan.project.root / TEMPLATE).read_text(encoding="utf-8")
