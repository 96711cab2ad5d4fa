"""The tag of a release, signed like its files where a key is configured."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..deploy.build import signing
from ..deploy.settings import Settings
from ..lib import git
from ..lib.console import TaskError
from ..lib.process import last_line
from ..lib.project import Project


@dataclass(frozen=True)
class Tag:
    """An annotated tag of the commit that is checked out, whether it is there already or not."""

    project: Project
    name: str
    settings: Settings

    def exists(self) -> bool:
        """Return whether the tag is there; raise `TaskError` if the key has not signed it."""
        root = self.project.root
        there = git.ask(root, "show-ref", "--verify", "--quiet", f"refs/tags/{self.name}")
        if there.returncode:
            return False
        if self.settings.signing_key and (why := self._fault()):
            raise TaskError(
                f"the tag {self.name} does not pass with {signing.public(self.settings)}: {why} "
                f"(if nobody has it yet: git tag --delete {self.name})"
            )
        return True

    def make(self) -> None:
        """Make the tag; raise `TaskError` where it cannot be signed."""
        key = self.settings.signing_key
        signed = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"] if key else []
        message = f"{self.project.program} {self.project.version}"
        made = git.ask(
            self.project.root, *signed, "tag", "--sign" if key else "--annotate",
            "--message", message, "--", self.name,
            # Without a terminal ssh-keygen must not ask; a program in SSH_ASKPASS may answer.
            env={} if "SSH_ASKPASS" in os.environ else {"SSH_ASKPASS_REQUIRE": "never"},
        )  # fmt: skip
        if made.returncode:
            why = last_line(made.stderr, f"git ended with {made.returncode}")
            raise TaskError(f"cannot make the tag {self.name}: {why}")

    @property
    def state(self) -> str:
        """Who signed the tag, as it is told to people."""
        if not self.settings.signing_key:
            return "not signed: invoke.yaml names no signing_key"
        return f"signed by {signing.fingerprint(signing.public(self.settings))}"

    def _fault(self) -> str:
        """Return why the tag does not pass with the configured key; empty if it does."""
        with tempfile.TemporaryDirectory() as folder:
            signers = Path(folder, "signers")
            key = signing.public(self.settings).read_text(encoding="utf-8")
            signers.write_text(f"{self.project.program} {key}", encoding="utf-8")
            by = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers}"]
            asked = git.ask(self.project.root, *by, "verify-tag", "--", self.name)
        return last_line(asked.stderr, "it is not signed") if asked.returncode else ""
