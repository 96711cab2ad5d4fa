"""Interpreters in the form of python-build-standalone, and a mirror that uv gets them from."""

import hashlib
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

BUILD = "20250612"
# The part of a URL that uv replaces by the mirror's.
_ORIGIN = "https://github.com/astral-sh/python-build-standalone/releases/download"


@dataclass
class Mirror:
    """A folder that stands for the place where python-build-standalone is published."""

    folder: Path
    _known: dict[str, object] = field(default_factory=dict)

    def add(self, version: str, machine: str, program: Path, library: Path, *shared: Path) -> None:
        """Publish an interpreter: its program, the folder of its standard library, libpython."""
        minor = ".".join(version.split(".")[:2])
        name = f"cpython-{version}+{BUILD}-{machine}-unknown-linux-gnu-install_only_stripped.tar.gz"
        packed = self.folder / BUILD / name
        packed.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
            archive.add(program, f"python/bin/python{minor}")
            for link in ("python3", "python"):
                member = tarfile.TarInfo(f"python/bin/{link}")
                member.type, member.linkname = tarfile.SYMTYPE, f"python{minor}"
                archive.addfile(member)
            archive.add(library, f"python/lib/python{minor}", filter=_without_caches)
            for path in shared:
                archive.add(path, f"python/lib/{path.name}")
        major, middle, patch = map(int, version.split("."))
        self._known[f"cpython-{version}-linux-{machine}-gnu"] = {
            "name": "cpython", "arch": {"family": machine, "variant": None}, "os": "linux",
            "libc": "gnu", "major": major, "minor": middle, "patch": patch, "prerelease": "",
            "url": f"{_ORIGIN}/{BUILD}/{name.replace('+', '%2B')}",
            "sha256": hashlib.sha256(packed.read_bytes()).hexdigest(),
            "variant": None, "build": BUILD,
        }  # fmt: skip
        (self.folder / "known.json").write_text(json.dumps(self._known))

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment variables with which a build gets its interpreter from here."""
        return {
            "UV_PYTHON_DOWNLOADS": "automatic",
            "UV_PYTHON_DOWNLOADS_JSON_URL": str(self.folder / "known.json"),
            "INVOKE_DEPLOY_OFFLINE_SOURCE_STANDALONE_MIRROR": self.folder.as_uri(),
            "INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER": "standalone",
        }


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name.endswith("/__pycache__") else member
