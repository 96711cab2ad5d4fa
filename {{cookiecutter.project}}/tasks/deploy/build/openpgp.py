"""Runs gpg with keys in a folder of their own, and signs with the package key."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...lib.console import TaskError
from ...lib.process import run

_LONGEST = 107 - len("/gpg-12345678/S.gpg-agent.browser")
_UNLOCKS = "NFPM_PASSPHRASE"
"""The environment variable with the passphrase of the package key, which nfpm named."""


@contextmanager
def home() -> Iterator[list[str]]:
    """Yield the command that runs gpg with no keys but those that the block adds."""
    # A home of its own, since gpg's agent keeps every key that it ever saw. Its path must be short:
    # the agent puts a socket there, whose path is limited to some hundred characters (unix(7)).
    long = len(os.fsencode(tempfile.gettempdir())) > _LONGEST
    folder = tempfile.mkdtemp(prefix="gpg-", dir=Path.home() if long else None)
    try:
        yield ["gpg", "--homedir", folder, "--batch", "--quiet", "--no-tty",
               "--trust-model", "always", "--pinentry-mode", "loopback"]  # fmt: skip
    finally:
        with suppress(TaskError):
            run(["gpgconf", "--homedir", folder, "--kill", "all"])
        shutil.rmtree(folder, ignore_errors=True)


class Signer:
    """Signs files with a key; make it with `signer`."""

    def __init__(self, gpg: list[str], folder: Path) -> None:
        self._gpg = gpg
        # gpg asks for a passphrase on no terminal here; what is read from a file nobody can list.
        self._secret = folder / "passphrase"
        self._secret.touch(mode=0o600)
        self._secret.write_text(os.environ.get(_UNLOCKS, ""), encoding="utf-8")

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key."""
        listing = run([*self._gpg, "--with-colons", "--fingerprint"])
        return fingerprint(listing)

    def public(self) -> str:
        """Return the public half of the key."""
        return run([*self._gpg, "--armor", "--export"])

    def clear(self, file: Path, output: Path) -> None:
        """Write a text with its signature below it."""
        self._sign("--clearsign", file, output)

    def detached(self, file: Path, output: Path) -> None:
        """Write the signature of a file to a file of its own."""
        self._sign("--detach-sign", file, output)

    def _sign(self, how: str, file: Path, output: Path) -> None:
        run([*self._gpg, "--passphrase-file", self._secret, "--digest-algo", "SHA256", "--armor",
             "--yes", "--output", output, how, file])  # fmt: skip


@contextmanager
def signer(key: Path) -> Iterator[Signer]:
    """Yield what signs with an armoured private key; raise `TaskError` for one that gpg refuses."""
    with home() as gpg, tempfile.TemporaryDirectory() as folder:
        run([*gpg, "--import", key])
        yield Signer(gpg, Path(folder))


def fingerprint(listing: str) -> str:
    """Return the first fingerprint of a listing that gpg made for programs to read."""
    return next(line for line in listing.splitlines() if line.startswith("fpr:")).split(":")[9]
