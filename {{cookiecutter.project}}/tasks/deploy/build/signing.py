"""Signs checksums with an OpenSSH key, and checks such signatures (ssh-keygen(1), -Y)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ...lib.console import TaskError
from ...lib.process import last_line, run
from ..settings import Settings
from . import publish

NAMESPACE = "file"
_OTHERS = 0o077  # mode bits; ssh-keygen uses no private key that others may read


def public(settings: Settings) -> Path:
    """Return where the public half of the configured key lies."""
    return Path(f"{settings.signing_key}.pub")


def require(settings: Settings) -> None:
    """Check that the keys which invoke.yaml names can be used, before anything is built.

    Raises `TaskError` that names the setting, its value, and what is missing.
    """
    for name in ("signing_key", "package_signing_key"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise TaskError(
                f"deploy.{name} is '{path}': there is no such file (invoke deploy.keygen makes one)"
            )
        if path and os.name == "posix" and Path(path).stat().st_mode & _OTHERS:
            raise TaskError(f"deploy.{name} is '{path}': others may read it (chmod 600 it)")
    if settings.signing_key and not public(settings).is_file():
        raise TaskError(
            f"deploy.signing_key is '{settings.signing_key}': its public half is not beside it as "
            f"{public(settings).name} (ssh-keygen -y prints it)"
        )


def digests(settings: Settings) -> list[str]:
    """Return a SHA-256 for each configured key, which changes when another key is configured."""
    files = [public(settings)] if settings.signing_key else []
    files += [Path(settings.package_signing_key)] if settings.package_signing_key else []
    return [publish.sha256(path) for path in files]


def fingerprint(key: Path) -> str:
    """Return the fingerprint of an OpenSSH key, as ssh-keygen and people write it."""
    return run(["ssh-keygen", "-l", "-f", key]).split()[1]


def sign(folder: Path, settings: Settings) -> None:
    """Write `SHA256SUMS.sig` beside a folder's `SHA256SUMS`, where a key is configured.

    ssh-keygen asks for a passphrase only on a terminal. Raises `TaskError` where it cannot sign,
    also if the public half beside the key belongs to another key.
    """
    if not settings.signing_key:
        return
    (folder / publish.SIGNATURE).unlink(missing_ok=True)  # ssh-keygen would leave it
    said = _ssh_keygen(
        ["sign", "-n", NAMESPACE, "-f", settings.signing_key, str(folder / publish.CHECKSUMS)]
    )
    if said:
        raise TaskError(f"cannot sign with {settings.signing_key}: {said}")


def verify(folder: Path, settings: Settings, program: str) -> list[str]:
    """Check the signature of a folder's `SHA256SUMS`, where a key is configured.

    Needs only the public half. Returns one line for each problem.
    """
    if not settings.signing_key:
        return []
    if not (folder / publish.SIGNATURE).is_file():
        return [f"{publish.SIGNATURE}: missing, and invoke.yaml names a key"]
    why = _wrong(folder, public(settings), program)
    return [f"{publish.SIGNATURE}: does not pass with {public(settings)}: {why}"] if why else []


def state(folder: Path, settings: Settings) -> str:
    """Return what is known of the origin of a folder in which `verify` found no problem."""
    if settings.signing_key:
        return f"by {fingerprint(public(settings))}, the key in invoke.yaml"
    there = "there, and" if (folder / publish.SIGNATURE).is_file() else "none;"
    return f"{there} origin not checked: invoke.yaml names no signing_key"


def _wrong(folder: Path, key: Path, identity: str) -> str:
    try:
        lines = key.read_text(encoding="utf-8").splitlines()
        content = (folder / publish.CHECKSUMS).read_bytes()
    except OSError as error:
        return f"cannot read {error.filename}: {error.strerror}"
    with tempfile.TemporaryDirectory() as work:
        signers = Path(work, "signers")
        keys = (line for line in lines if line and not line.startswith("#"))
        signers.write_text("".join(f"{identity} {line}\n" for line in keys), encoding="utf-8")
        return _ssh_keygen(
            ["verify", "-n", NAMESPACE, "-I", identity, "-f", str(signers),
             "-s", str(folder / publish.SIGNATURE)],
            content,
        )  # fmt: skip


def _ssh_keygen(arguments: list[str], content: bytes = b"") -> str:
    """Run `ssh-keygen -Y`; return why it failed in one line, or nothing."""
    # Without a terminal ssh-keygen must not ask; a program in SSH_ASKPASS may answer.
    asking = {} if "SSH_ASKPASS" in os.environ else {"SSH_ASKPASS_REQUIRE": "never"}
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *arguments],
            input=content,
            capture_output=True,
            check=False,
            env={**os.environ, **asking},
            start_new_session=not sys.stdin.isatty(),
        )
    except OSError as error:
        return f"cannot run ssh-keygen: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = (done.stdout + done.stderr).decode(errors="replace")
    return last_line(said, f"ssh-keygen ended with {done.returncode}")
