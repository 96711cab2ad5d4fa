"""Check that a release was signed by someone the operator trusts.

The signature is checked with an OpenSSH public key that arrived separately from the release, and
with the machine's own ssh-keygen, because one that came with the release would prove nothing.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from .commands import NOT_THERE, run
from .disk import Disk
from .errors import HostError, Misuse
from .place import Place

KEY_FILE = "signing-key.pub"
_SECONDS = 30.0


@dataclass(frozen=True)
class Trust:
    """The keys that a signature must be made with."""

    file: Path | None
    """The file with the trusted public keys; None if none is known."""
    keys: tuple[str, ...]
    """The keys, each one line as OpenSSH writes it."""
    given: bytes = b""
    """The file's content, if it was named on the command line."""


def trust(place: Place, given: str, *, required: bool) -> Trust:
    """Return the trusted keys: those in the file `given`, else those that this machine keeps.

    Raises Misuse for a file that cannot be read, and HostError if a required key is not known.
    """
    known = place.etc / KEY_FILE
    if given:
        try:
            content = Path(given).read_bytes()
        except OSError:
            raise Misuse(f"there is no file '{given}' that can be read (--key)") from None
        return Trust(Path(given), _keys(content), content)
    if known.exists():
        return Trust(known, _keys(known.read_bytes()))
    if required:
        raise HostError(
            f"no key is known to check the signature with (give --key, or put the maker's public "
            f"key at {known}): nothing was changed"
        )
    return Trust(None, ())


def require_signed(trusted: Trust, name: str, sums: Path, shown: Path | str) -> None:
    """Raise HostError unless a trusted key, if any is known, signed the checksums in `sums`."""
    if trusted.file and (why := _fault(trusted, name, sums)):
        raise HostError(f"{shown} is refused, nothing was changed: {why}")


def keep(trusted: Trust, place: Place, disk: Disk) -> None:
    """Keep the given key to check the next release with, unless the machine has a key already."""
    if trusted.given and not disk.exists(place.etc / KEY_FILE):
        place.etc.mkdir(parents=True, exist_ok=True)  # a command has no other configuration
        disk.write(place.etc / KEY_FILE, trusted.given, 0o644)


def _keys(content: bytes) -> tuple[str, ...]:
    lines = content.decode(errors="replace").splitlines()
    return tuple(line for line in lines if line[:1].isalpha() and line[:1].islower())


def _fault(trusted: Trust, name: str, sums: Path) -> str:
    """Return why the signature of the checksums is not valid; empty if it is."""
    signed_by = sums.with_name(f"{sums.name}.sig")
    if not trusted.keys:
        return f"{trusted.file} holds no public key that can be read"
    if not signed_by.is_file():
        return f"it is not signed, and {trusted.file} says by whom it should be"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix=f"{name}.") as signers:
        signers.writelines(f"{name} {key}\n" for key in trusted.keys)
        signers.flush()
        command = ("ssh-keygen", "-Y", "verify", "-f", signers.name, "-I", name, "-n", "file",
                   "-s", signed_by)  # fmt: skip
        done = run(command, _SECONDS, stdin=sums.read_bytes())
    if done.returncode == NOT_THERE:
        return "its signature cannot be checked: this machine has no ssh-keygen (OpenSSH's client)"
    if done.returncode:
        return f"its signature is not by a key in {trusted.file}, or what it signs was changed"
    return ""
