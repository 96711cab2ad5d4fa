"""Makes the keys that sign what is built: OpenSSH's for checksums, OpenPGP's for packages."""

import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...lib.console import TaskError, closing, step
from ...lib.process import run
from ...lib.project import Project
from . import signing

# By suffix, in the order in which they appear; the private key comes last and says: complete.
_PUBLIC, _PACKAGES_PUBLIC, _PACKAGES, _PRIVATE = ".pub", ".pub.asc", ".asc", ""
_SUFFIXES = (_PUBLIC, _PACKAGES_PUBLIC, _PACKAGES, _PRIVATE)
_ALGORITHM = "rsa4096"  # rpm before 4.15, such as RHEL 8's, checks no other kind
_LONGEST = 107 - len("/gpg-12345678/S.gpg-agent.browser")


@dataclass(frozen=True)
class Keys:
    """Where a pair of keys for checksums lies, and one for packages where gpg could make it."""

    private: Path
    fingerprint: str
    packages_fingerprint: str
    """Empty where there is no gpg."""

    @property
    def public(self) -> Path:
        """What machines check checksums with."""
        return _named(self.private, _PUBLIC)

    @property
    def packages(self) -> Path:
        """The private key for packages."""
        return _named(self.private, _PACKAGES)

    @property
    def packages_public(self) -> Path:
        """What rpm and gpg check packages with."""
        return _named(self.private, _PACKAGES_PUBLIC)


def default(project: Project) -> Path:
    """Give where the keys of a project are kept if nothing else is said."""
    return Path.home() / ".config" / project.program / "signing-key"


def make(path: Path, project: Project) -> Keys:
    """Make the keys: `path` and, beside it, those with a suffix; all of them or none.

    Raises `TaskError` for a path inside the project, for one where a key is already, and where the
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
    except (OSError, RuntimeError) as error:  # the latter where a ~user is nobody
        raise TaskError(f"cannot make keys at {path}: {error}") from error


def report(keys: Keys, project: Project) -> None:
    """Say where the keys are and what is to be done with them."""
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
    work = path.parent / f".{path.name}.new"
    _take_back(work, path)
    for suffix in reversed(_SUFFIXES):
        if os.path.lexists(_named(path, suffix)):
            raise TaskError(
                f"{_named(path, suffix)} is there already, and a key is never overwritten: "
                "choose another --path"
            )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        work.mkdir(mode=0o700)
        made = work / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", program, "-f", made])
        packages = _for_packages(made, program) if shutil.which("gpg") else ""
        keys = Keys(path, signing.fingerprint(_named(made, _PUBLIC)), packages)
        for suffix in _SUFFIXES:
            if _named(made, suffix).exists():
                os.link(_named(made, suffix), _named(path, suffix))  # never over another file
    finally:
        _take_back(work, path)
    return keys


def _take_back(work: Path, path: Path) -> None:
    """Delete the work folder of a run, and what that run laid out if it did not come to its end."""
    whole = _same(_named(work / "key", _PRIVATE), path)
    for suffix in _SUFFIXES:
        if not whole and _same(_named(work / "key", suffix), _named(path, suffix)):
            _named(path, suffix).unlink()
    shutil.rmtree(work, ignore_errors=True)


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _for_packages(made: Path, program: str) -> str:
    """Make an OpenPGP pair beside an OpenSSH key, and give its fingerprint."""
    # Of its own, since gpg's agent keeps every key that it ever saw; and short, since it puts a
    # socket there, whose path may have some hundred characters (unix(7)).
    long = len(os.fsencode(tempfile.gettempdir())) > _LONGEST
    home = tempfile.mkdtemp(prefix="gpg-", dir=Path.home() if long else None)
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--trust-model", "always"]
    gpg += ["--pinentry-mode", "loopback", "--passphrase", ""]
    try:
        with step("an OpenPGP key for packages"):
            identity = f"{program} packages"
            run([*gpg, "--quick-generate-key", identity, _ALGORITHM, "sign", "never"])
        listing = run([*gpg, "--with-colons", "--fingerprint"])
        for suffix, export in ((_PACKAGES, "--export-secret-keys"), (_PACKAGES_PUBLIC, "--export")):
            run([*gpg, "--armor", "--output", _named(made, suffix), export])
    finally:
        with suppress(TaskError):
            run(["gpgconf", "--homedir", home, "--kill", "all"])
        shutil.rmtree(home, ignore_errors=True)
    return next(line for line in listing.splitlines() if line.startswith("fpr:")).split(":")[9]


def _named(path: Path, suffix: str) -> Path:
    return Path(f"{path}{suffix}")


def _yaml(path: Path) -> str:
    home = Path.home()
    short = f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
    return json.dumps(short, ensure_ascii=False)
