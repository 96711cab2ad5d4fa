"""Names the files that a build makes, in one place."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from ..build.plan import Plan

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Debian and nfpm name them


@dataclass(frozen=True)
class Artefacts:
    """The artefacts of a plan in a folder, whether they are there already or not."""

    plan: Plan
    folder: Path

    @property
    def archive(self) -> Path:
        """The release tree as an archive, with an installer beside it."""
        return self.folder / f"{self.plan.stem}.tar.gz"

    @property
    def top(self) -> str:
        """The folder that the archive unpacks to."""
        return self.plan.stem

    @property
    def deb(self) -> Path:
        """The package for Debian and its descendants."""
        name = f"{self.plan.project.program}_{package_version(self.plan)}_{architecture()}.deb"
        return self.folder / name

    @property
    def rpm(self) -> Path:
        """The package for Red Hat's and SUSE's families."""
        version = f"{package_version(self.plan)}-1.{platform.machine()}"
        return self.folder / f"{self.plan.project.program}-{version}.rpm"

    @property
    def single(self) -> Path:
        """The program as one executable file."""
        return self.folder / f"{self.plan.stem}.run"


def architecture() -> str:
    """Return this machine's architecture as Debian and nfpm name it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def package_version(plan: Plan) -> str:
    """Return the version as dpkg and rpm sort it: `1.0rc1` is `1.0~rc1` there."""
    return re.sub(r"\.?(a|b|rc|dev)(\d+)", r"~\1\2", plan.project.version)
