"""Fetches exactly the commit that is to be deployed, from where everybody gets it."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from common import Place, RefusedError, attempt, told


def fetch(work: Path, place: Place, held: Sequence[int]) -> None:
    """Fill `work`/source; raise `RefusedError` for what cannot be had or is not signed."""
    this = told("source.json")
    git, commit, tag = ["git", "--git-dir", str(work / "git")], this["commit"], this["tag"]
    # Nobody is there to be asked for a password or about an unknown host.
    quiet = {"GIT_TERMINAL_PROMPT": "0"}
    quiet["GIT_SSH_COMMAND"] = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    attempt("get the source", ["git", "init", "--quiet", "--bare", work / "git"], held)
    refs = [commit, f"refs/tags/{tag}:refs/tags/{tag}"] if tag else [commit]
    fetching = ["fetch", "--quiet", "--no-tags", "--depth", "1", this["repository"], *refs]
    attempt("get the source", [*git, *fetching], held, quiet)
    if place.key.exists():
        _require_signed(git, place, work / "signers", commit, tag)
    archive, paths = work / "source.tar", ("src", "Pipfile", "Pipfile.lock")
    tree = f"{commit}:{this['folder'].rstrip('/')}" if this["folder"] else commit
    packing = ["archive", "--output", archive, tree, "--", *paths]
    attempt("unpack the source", [*git, *packing], held)
    (work / "source").mkdir()
    attempt("unpack the source", ["tar", "-xf", archive, "-C", work / "source"], held)


def _require_signed(git: list[str], place: Place, signers: Path, commit: str, tag: str) -> None:
    """Refuse a tag or commit that is not signed by a key which is known here."""
    refused = f"{tag or commit} is refused, nothing was changed: it is not"
    keys = re.findall(r"^[a-z].*", place.key.read_text(encoding="utf-8"), re.MULTILINE)
    signers.write_text("".join(f"{place.name} {key}\n" for key in keys), encoding="utf-8")
    trusted = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers}"]
    asking = ["verify-tag", tag] if tag else ["verify-commit", commit]
    if subprocess.run([*git, *trusted, *asking], capture_output=True, check=False).returncode:
        raise RefusedError(f"{refused} signed by a key in {place.key}")
    named = [*git, "rev-parse", f"{tag or commit}^{{commit}}"]
    if subprocess.run(named, capture_output=True, text=True, check=False).stdout.strip() != commit:
        raise RefusedError(f"{refused} the commit {commit}")
