"""Makes repositories of packages, which a site without a network can serve to its machines."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ...deploy.build import openpgp, publish, signing
from ...deploy.settings import Settings
from ...lib.console import TaskError, closing, size, step
from ...lib.project import Project
from . import apt, yum
from .packages import collect

WRITERS = {"apt": apt, "yum": yum}
_SCHEMES = ("file://", "http://", "https://")


@dataclass(frozen=True)
class Repository:
    """Repositories that are to be made in a folder, one for each kind of package."""

    project: Project
    settings: Settings
    folder: Path
    url: str
    packages: Mapping[str, Mapping[str, Path]]
    """For each kind of repository its packages by their file names."""

    @property
    def facts(self) -> dict[str, object]:
        """What the manifest says, by which an unchanged repository is known again."""
        key = self.settings.package_signing_key
        return {
            "holds": "repository",
            "name": self.project.program,
            "url": self.url,
            "package_key": publish.sha256(Path(key)) if key else None,
            "packages": {
                name: publish.sha256(path)
                for packages in self.packages.values()
                for name, path in packages.items()
            },
        }

    def is_made(self) -> bool:
        """Return whether exactly these are there, with every byte unchanged."""
        if publish.read_manifest(self.folder) != self.facts:
            return False
        unsigned = signing.verify(self.folder, self.settings, self.project.program)
        return not (unsigned or publish.verify(self.folder))

    def write(self) -> None:
        """Write them in the place of what lies there; a failure leaves that as it is."""
        with ExitStack() as work:
            key = self.settings.package_signing_key
            signer = work.enter_context(openpgp.signer(Path(key))) if key else None
            made = work.enter_context(publish.staging(self.folder))
            for kind, packages in self.packages.items():
                with step(f"{kind} repository, packages: {len(packages)}"):
                    client = WRITERS[kind].write(
                        made / kind, self.project.program, packages, signer, f"{self.url}/{kind}"
                    )
                file = made / f"{self.project.program}.{WRITERS[kind].CLIENT}"
                file.write_text(client, encoding="utf-8")
            if signer:
                public = made / f"{self.project.program}.asc"
                public.write_text(signer.public(), encoding="utf-8")
            publish.write_manifest(made, self.facts)
            publish.write_checksums(made)
            signing.sign(made, self.settings)


def find(project: Project, settings: Settings, folder: Path, url: str, only: str) -> Repository:
    """Return the repositories to make in a folder; `url` and `only` may be empty.

    Raises `TaskError` where there is no package or a tool is missing, and for a package that would
    replace another one of the same name.
    """
    if only and only not in WRITERS:
        raise TaskError(f"--only is '{only}': expected {' or '.join(WRITERS)}")
    publish.restore(folder)
    _require_own(folder, only)
    url = _checked(url) if url else f"file:///srv/{project.program}"
    wanted = {kind: writer for kind, writer in WRITERS.items() if only in ("", kind)}
    packages = {
        kind: collect(project, folder / kind, writer.SUFFIX) for kind, writer in wanted.items()
    }
    packages = {kind: found for kind, found in packages.items() if found}
    if not packages:
        raise TaskError("dist/ has no packages: `invoke deploy.offline-binary` makes them")
    for kind in packages:
        WRITERS[kind].require()
    return Repository(project, settings, folder, url, packages)


def make(wanted: Repository, *, dry_run: bool) -> None:
    """Make or extend the repositories, unless they are there and unchanged; or print the plan."""
    there = wanted.is_made()
    rows = {"where": str(wanted.folder), **_sizes(wanted), "url": wanted.url}
    rows["signed with"] = wanted.settings.package_signing_key or "nothing: no package_signing_key"
    if dry_run:
        state = "unchanged, nothing to do" if there else "to be made"
        closing("plan of release.repository", rows | {"state": state})
        return
    if not there:
        wanted.write()
    rows["check"] = f"invoke deploy.verify {wanted.folder}"
    rows["next"] = "carry the whole folder to the site (docs/repositories.md)"
    closing(f"release.repository: {'unchanged' if there else 'made'}", rows)


def _require_own(folder: Path, only: str) -> None:
    """Raise `TaskError` for a folder that is something else, or would lose one of its parts."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() and publish.read_manifest(folder).get("holds") != "repository":
        raise TaskError(f"--path is '{folder}': there is something else, which stays as it is")
    lost = [kind for kind in WRITERS if only not in ("", kind) and (folder / kind).exists()]
    if lost:
        raise TaskError(f"--only is '{only}': {folder} has {lost[0]} too, which would be gone")


def _sizes(wanted: Repository) -> dict[str, str]:
    return {
        f"{kind}: {name}": size(path)
        for kind, packages in wanted.packages.items()
        for name, path in packages.items()
    }


def _checked(url: str) -> str:
    parts = urlsplit(url)
    somewhere = parts.path.strip("/") if parts.scheme == "file" else parts.netloc
    if f"{parts.scheme}://" not in _SCHEMES or not somewhere or any(map(str.isspace, url)):
        raise TaskError(f"--url is '{url}': expected one that begins with {', '.join(_SCHEMES)}")
    return url.rstrip("/")
