"""Find out which release this is, for people, probes and the tools that switch releases."""

import json
from dataclasses import dataclass
from pathlib import Path

from . import NAME

HERE = Path(__file__).parents[1]
"""The folder of the program's package."""
METADATA = "release.json"
"""The build writes this file into the package; a source tree does not have it."""


@dataclass(frozen=True)
class Release:
    """One release of the program."""

    version: str
    """As in ``pyproject.toml``."""
    commit: str | None
    """The full Git commit, where one is known."""
    release: str
    """The release id; no two different builds share one."""


def current(package: Path = HERE) -> Release:
    """Return the release that the code in the folder `package` belongs to."""
    for source in (_built, _installed, _checked_out):
        if found := source(package):
            return found
    return Release("unknown", None, "unknown")


def _built(package: Path) -> Release | None:
    try:
        facts = json.loads((package / METADATA).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Release(facts["version"], facts["commit"], facts["release"])


def _installed(package: Path) -> Release | None:
    from importlib import metadata  # slow to import, and a built program never comes here

    try:
        version = metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return None
    return Release(version, None, version)


def _checked_out(package: Path) -> Release | None:
    import tomllib

    try:
        text = (package.parents[1] / "pyproject.toml").read_text("utf-8")
    except FileNotFoundError:
        return None
    version = tomllib.loads(text)["project"]["version"]
    return Release(version, None, f"{version}+dev")
