"""Writes the text of a release's page: what is new, which files there are, how to check them."""

from pathlib import Path

from ..deploy.build import publish, signing
from ..deploy.settings import Settings
from ..lib.console import size
from ..lib.project import Project

FILE = "notes.md"
_PARTS = (publish.CHECKSUMS, publish.SIGNATURE, publish.MANIFEST, publish.SBOM)


def write(folder: Path, project: Project, changes: str, settings: Settings) -> None:
    """Write `notes.md` about the artefacts that lie in a folder."""
    rows = [
        f"| `{name}` | {size(folder / name)} | `{publish.sha256(folder / name)}` |"
        for name in artefacts(folder)
    ]
    table = ["## Files", "", "| File | Size | SHA-256 |", "|---|---|---|", *rows, ""]
    lines = [
        changes.strip("\n"),
        "",
        *(table if rows else []),
        f"`{publish.SBOM}` in each folder is its bill of materials, and `{publish.MANIFEST}` says",
        f"what its files were made from; `{publish.PROVENANCE}` says how.",
        "",
        "## Check them",
        "",
        *_checking(project, settings),
    ]
    text = "\n".join(lines) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def artefacts(folder: Path) -> list[str]:
    """Return the names of what a release is installed from."""
    names = publish.names(folder)
    return [name for name in names if "/" in name and Path(name).name not in _PARTS]


def _checking(project: Project, settings: Settings) -> list[str]:
    whole = ["```sh", f"sha256sum -c {publish.CHECKSUMS} --ignore-missing", "```"]
    if not settings.signing_key:
        return [*whole, "", "This shows damage, and not who made the files: they are not signed."]
    key = signing.fingerprint(signing.public(settings))
    return [
        f"`{publish.CHECKSUMS}` is signed with the key `{key}`.",
        "With its public half, which you have from elsewhere, as `signing-key.pub`:",
        "",
        "```sh",
        f"{{ printf '%s ' {project.program}; cat signing-key.pub; }} > signers",
        f"ssh-keygen -Y verify -f signers -I {project.program} -n {signing.NAMESPACE} \\",
        f"    -s {publish.SIGNATURE} < {publish.CHECKSUMS}",
        *whole[1:],
    ]
