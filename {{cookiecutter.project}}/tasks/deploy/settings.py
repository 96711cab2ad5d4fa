"""The settings under `deploy` in invoke.yaml, checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..lib import rules


@dataclass(frozen=True)
class Settings:
    """How releases are built and kept; the defaults hold where invoke.yaml says nothing."""

    keep_releases: int = 3
    """Releases that a machine keeps, the active one included."""
    health_seconds: int = 30
    """How long a new release may take to become healthy, in seconds."""
    trial_seconds: int = 60
    """For how many seconds after a switch a release that fails goes back by itself."""
    before_switch_seconds: int = 300
    """How long the program's before_switch hook may take, in seconds."""
    overlap: bool = True
    """Whether a new release starts beside the old one; false where it must not run twice."""
    packages: tuple[str, ...] = ("deb", "rpm")
    """The packages that are made beside the archive."""
    hidden_imports: tuple[str, ...] = ()
    collect_submodules: tuple[str, ...] = ()
    collect_data: tuple[str, ...] = ()
    signing_key: str = ""
    """Path of the OpenSSH private key that signs checksums; its public half is beside it."""
    package_signing_key: str = ""
    """Path of the armoured OpenPGP private key that signs the .deb and the .rpm."""
    end_of_life: str = "warn"
    """What a build does about a Python past its end of life: `warn` or `refuse`."""
    interpreter: str = "auto"
    """Where a bundle's interpreter comes from: `auto`, `standalone` or `local`."""
    standalone_version: str = ""
    """The version of python-build-standalone, such as `3.13.5`; empty: the newest that fits."""
    standalone_mirror: str = ""
    """The URL of a mirror that uv gets python-build-standalone from; empty: uv's own place."""


RULES: rules.Rules = {
    "keep_releases": rules.whole_number(2),
    "health_seconds": rules.whole_number(1),
    "trial_seconds": rules.whole_number(0),
    "before_switch_seconds": rules.whole_number(1),
    "overlap": rules.SWITCH,
    "signing_key": rules.PATH,
    "package_signing_key": rules.PATH,
    "end_of_life": rules.choice("warn", "refuse"),
    "targets": rules.ELSEWHERE,  # by targets.py
    "offline_source": {
        "interpreter": rules.choice("auto", "standalone", "local"),
        "standalone_version": rules.text(
            r"\d+\.\d+(\.\d+)?", "a version such as 3.13.5", empty=True
        ),
        "standalone_mirror": rules.text(r"[a-z]+://\S+", "a URL", empty=True),
    },
    "offline_binary": {
        "packages": rules.texts("deb|rpm", "deb and rpm"),
        "hidden_imports": rules.MODULES,
        "collect_submodules": rules.MODULES,
        "collect_data": rules.MODULES,
    },
}


def read(deploy: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; raise `TaskError` for a value or a name that is not allowed.

    The error names the setting, its value, and what is allowed.
    """
    rules.require_known("INVOKE_DEPLOY_", deploy, environ)
    values = rules.read("deploy", deploy, RULES)
    values.pop("targets", None)
    return Settings(**values)
