"""The settings under `release` in invoke.yaml, checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ..lib import rules
from ..lib.console import TaskError

PUBLISHING = ("offline-binary", "offline-source")
"""The quadrants that publish files, in the order in which a release has them."""
_QUADRANTS = f"{__package__.partition('.')[0]}.deploy"


@dataclass(frozen=True)
class ReleaseSettings:
    """What a release consists of, and who makes it."""

    quadrants: tuple[str, ...]
    """The quadrants whose artefacts a release has."""
    builder: str = ""
    """A URI that says who builds; empty: the author."""


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or any(name not in PUBLISHING for name in value):
        raise ValueError(value)
    return tuple(name for name in PUBLISHING if name in value)


RULES: rules.Rules = {
    "quadrants": rules.Rule(_names, f"a list of {' and '.join(PUBLISHING)}"),
    "builder": rules.text(r"[a-z][a-z0-9+.-]*:\S+", "a URI", empty=True),
}


def read(release: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> ReleaseSettings:
    """Return the settings; raise `TaskError` for a value or a name that is not allowed.

    No named quadrant means all that this project has.
    """
    rules.require_known("INVOKE_RELEASE_", release, environ)
    values = rules.read("release", release, RULES)
    here = tuple(name for name in PUBLISHING if find_spec(f"{_QUADRANTS}.{name.replace('-', '_')}"))
    for name in values.get("quadrants", ()):
        if name not in here:
            raise TaskError(f"release.quadrants has '{name}': this project has deleted it")
    wanted = values.get("quadrants") or here
    return ReleaseSettings(wanted, values.get("builder", ""))
