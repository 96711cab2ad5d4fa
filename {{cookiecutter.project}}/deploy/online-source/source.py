"""Fetch exactly the commit to deploy from the project's repository, and check its signature."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from common import attempt, told
from host.errors import HostError
from host.place import Place
from host.signature import Trust, trust


def fetch(work: Path, place: Place, held: Sequence[int]) -> None:
    """Fill `work`/source; raise `HostError` if the commit cannot be fetched or is not signed."""
    this = told("source.json")
    git, commit, tag = ["git", "--git-dir", str(work / "git")], this["commit"], this["tag"]
    # Nobody can answer a question about a password or an unknown host.
    quiet = {"GIT_TERMINAL_PROMPT": "0"}
    quiet["GIT_SSH_COMMAND"] = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    attempt("get the source", ["git", "init", "--quiet", "--bare", work / "git"], held)
    refs = [commit, f"refs/tags/{tag}:refs/tags/{tag}"] if tag else [commit]
    fetching = ["fetch", "--quiet", "--no-tags", "--depth", "1", this["repository"], *refs]
    attempt("get the source", [*git, *fetching], held, quiet)
    trusted = trust(place, "", required=False)
    if trusted.file:
        _require_signed(git, _signers(work, place.name, trusted), commit, tag, trusted)
    archive, paths = work / "source.tar", ("src", "Pipfile", "Pipfile.lock")
    tree = f"{commit}:{this['folder'].rstrip('/')}" if this["folder"] else commit
    packing = ["archive", "--output", archive, tree, "--", *paths]
    attempt("unpack the source", [*git, *packing], held)
    (work / "source").mkdir()
    attempt("unpack the source", ["tar", "-xf", archive, "-C", work / "source"], held)


def _signers(work: Path, name: str, trusted: Trust) -> Path:
    """Write the trusted keys in Git's format, and return the file."""
    signers = work / "signers"
    signers.write_text("".join(f"{name} {key}\n" for key in trusted.keys), encoding="utf-8")
    return signers


def _require_signed(git: list[str], signers: Path, commit: str, tag: str, trusted: Trust) -> None:
    """Raise `HostError` unless a trusted key signed the tag or commit."""
    refused = f"{tag or commit} is refused, nothing was changed: it is not"
    by = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers}"]
    asking = ["verify-tag", tag] if tag else ["verify-commit", commit]
    if subprocess.run([*git, *by, *asking], capture_output=True, check=False).returncode:
        raise HostError(f"{refused} signed by a key in {trusted.file}")
    named = [*git, "rev-parse", f"{tag or commit}^{{commit}}"]
    if subprocess.run(named, capture_output=True, text=True, check=False).stdout.strip() != commit:
        raise HostError(f"{refused} the commit {commit}")
