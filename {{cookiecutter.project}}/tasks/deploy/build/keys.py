"""Makes the keys that sign what is built: OpenSSH's for checksums, OpenPGP's for packages."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ...lib.console import TaskError, closing, step
from ...lib.process import run
from ...lib.project import Project
from . import openpgp, signing

_NAME = "signing-key"
_ALGORITHM = "rsa4096"  # rpm before 4.15, such as RHEL 8's, checks no other kind


@dataclass(frozen=True)
class Keys:
    """The folder of a key pair for checksums and, where gpg could make one, a pair for packages."""

    folder: Path
    fingerprint: str
    packages_fingerprint: str
    """Empty where there is no gpg."""

    @property
    def private(self) -> Path:
        """The private key for checksums."""
        return self.folder / _NAME

    @property
    def public(self) -> Path:
        """The public key with which machines check checksums."""
        return self.folder / f"{_NAME}.pub"

    @property
    def packages(self) -> Path:
        """The private key for packages."""
        return self.folder / f"{_NAME}.asc"

    @property
    def packages_public(self) -> Path:
        """The public key with which rpm and gpg check packages."""
        return self.folder / f"{_NAME}.pub.asc"


def default(project: Project) -> Path:
    """Return the default folder of a project's keys."""
    return Path.home() / ".config" / project.program / "signing"


def make(path: Path, project: Project) -> Keys:
    """Make the keys in the new folder `path`; all of them or none.

    Raises `TaskError` for a path inside the project, for one that is there already, and where the
    keys cannot be made or written.
    """
    try:
        path = path.expanduser().absolute()
        if path.resolve().is_relative_to(project.root.resolve()):
            raise TaskError(
                f"--path is '{path}': inside the project, from where it gets into Git; "
                f"expected a place outside {project.root}"
            )
        return _make(path, project.program)
    except (OSError, RuntimeError) as error:  # the latter where there is no such ~user
        raise TaskError(f"cannot make keys at {path}: {error}") from error


def report(keys: Keys, project: Project) -> None:
    """Print where the keys are and what to do with them."""
    rows = {
        "for checksums": f"{keys.private}, {keys.public.name}",
        "fingerprint": keys.fingerprint,
        "for packages": "none: install gpg, then run this again with another --path",
    }
    if keys.packages_fingerprint:
        rows["for packages"] = f"{keys.packages}, {keys.packages_public.name}"
        rows["its fingerprint"] = keys.packages_fingerprint
    rows["in invoke.yaml"] = f"signing_key: {_yaml(keys.private)}"
    if keys.packages_fingerprint:
        rows["and"] = f"package_signing_key: {_yaml(keys.packages)}"
    rows["on machines"] = f"{keys.public.name} as /etc/{project.program}/signing-key.pub"
    rows["tell nobody"] = "the private keys; they have no passphrase (ssh-keygen -p sets one)"
    closing(f"keys of {project.program}", rows)


def _make(path: Path, program: str) -> Keys:
    if os.path.lexists(path):
        raise TaskError(
            f"{path} is there already, and a key is never overwritten: choose another --path"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.new")
    shutil.rmtree(work, ignore_errors=True)  # left by a run that was killed
    try:
        work.mkdir(mode=0o700)
        made = Keys(work, "", "")
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", program, "-f", made.private])
        packages = _for_packages(made, program) if shutil.which("gpg") else ""
        keys = Keys(path, signing.fingerprint(made.public), packages)
        work.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return keys


def _for_packages(made: Keys, program: str) -> str:
    """Make an OpenPGP pair beside an OpenSSH one, and return its fingerprint."""
    with openpgp.home() as alone:
        gpg = [*alone, "--passphrase", ""]
        with step("an OpenPGP key for packages"):
            identity = f"{program} packages"
            run([*gpg, "--quick-generate-key", identity, _ALGORITHM, "sign", "never"])
        listing = run([*gpg, "--with-colons", "--fingerprint"])
        run([*gpg, "--armor", "--output", made.packages, "--export-secret-keys"])
        run([*gpg, "--armor", "--output", made.packages_public, "--export"])
    return openpgp.fingerprint(listing)


def _yaml(path: Path) -> str:
    home = Path.home()
    short = f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
    return json.dumps(short, ensure_ascii=False)
