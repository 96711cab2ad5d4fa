"""Packs a program: archive, .deb, .rpm or one file; the same bytes for the same program."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ...lib.environment import Environment
from ...lib.process import run
from ..build import release_tree
from ..build.archive import below, tarball
from ..build.plan import Plan
from ..build.render import render
from ..build.self_extracting import onefile
from .artefacts import Artefacts, architecture, package_version
from .program_base import FOLDER

INSTALL = "install"
_MAINTAINER_SCRIPTS = ("postinst", "prerm", "postrm", "posttrans")
_DOLLAR = "${DOLLAR}"  # nfpm replaces environment variables in texts; this one is a dollar sign


@dataclass(frozen=True)
class Packing:
    """What is packed, and with what."""

    plan: Plan
    environment: Environment
    glibc: str
    """The oldest glibc that the program runs on."""
    tree: Path
    """Holds `bin/`; intermediate files go to the folder around it."""
    artefacts: Artefacts


def release(packing: Packing) -> None:
    """Complete the release tree and write the archive and, for Linux, the packages."""
    plan, tree = packing.plan, packing.tree
    release_tree.lay_out(tree, plan, packing.environment, packing.glibc, packing.artefacts.folder)
    packers = [_archive]
    if plan.for_hosts:
        _prepare(packing)
        packers += [_PACKAGES[name] for name in dict.fromkeys(plan.settings.packages)]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(packer, packing) for packer in packers]:
            done.result()


def single(packing: Packing) -> None:
    """Write the program as one executable file."""
    plan = packing.plan
    release_tree.normalise(packing.tree, plan.revision.epoch)
    head = (plan.project.root / FOLDER / "launcher.sh").read_text(encoding="utf-8")
    payload = tarball(below(packing.tree / "bin"), plan.revision.epoch)
    path = packing.artefacts.single
    path.write_bytes(onefile(head, release_tree.tokens(plan.project), payload))
    path.chmod(0o755)


def _archive(packing: Packing) -> None:
    plan, top = packing.plan, packing.artefacts.top
    members = [*below(packing.tree, f"{top}/")]
    if plan.for_hosts:
        members.append((f"{top}/{INSTALL}", packing.tree.with_name(INSTALL)))
    packing.artefacts.archive.write_bytes(tarball(members, plan.revision.epoch))


def _deb(packing: Packing) -> None:
    _nfpm(packing, "deb", packing.artefacts.deb)


def _rpm(packing: Packing) -> None:
    _nfpm(packing, "rpm", packing.artefacts.rpm)


_PACKAGES = {"deb": _deb, "rpm": _rpm}


def _nfpm(packing: Packing, packager: str, output: Path) -> None:
    nfpm = packing.environment.command("nfpm")
    config = packing.tree.with_name("nfpm.yaml")
    run(
        [nfpm, "package", "--config", config, "--packager", packager, "--target", output],
        env={"SOURCE_DATE_EPOCH": str(packing.plan.revision.epoch), "DOLLAR": "$"},
    )


def _prepare(packing: Packing) -> None:
    project, host, work = packing.plan.project, packing.tree / "host", packing.tree.parent
    facts = json.loads((host / "release.json").read_text(encoding="utf-8"))
    values = {key: str(value) for key, value in facts.items()} | release_tree.tokens(project)
    for name in (INSTALL, *_MAINTAINER_SCRIPTS):
        text = (project.root / FOLDER / f"{name}.in").read_text(encoding="utf-8")
        (work / name).write_text(render(text, values), encoding="utf-8", newline="\n")
        (work / name).chmod(0o755)
    values |= {
        "description": values["description"].replace("$", _DOLLAR),
        "maintainer": f"{project.author} <{project.email}>".replace("$", _DOLLAR),
        "license": project.license,
        "version": package_version(packing.plan),
        "architecture": architecture(),
        "signing_key": packing.plan.settings.package_signing_key.replace("$", _DOLLAR),
        "root": str(project.root),
        "tree": str(packing.tree),
        "work": str(work),
    }
    text = (project.root / FOLDER / "nfpm.yaml.in").read_text(encoding="utf-8")
    quoted = {name: _quoted(value) for name, value in values.items()}
    quoted["links"] = "\n".join(_links(packing.tree, project.program))
    (work / "nfpm.yaml").write_text(render(text, quoted), encoding="utf-8")


def _links(tree: Path, name: str) -> Iterator[str]:
    """Yield the lines of nfpm.yaml that link the commands, and what the tree has in `share/`."""
    shared = sorted(path for path in tree.glob("share/**/*") if path.is_file())
    for path in (f"bin/{name}", f"bin/{name}-admin", *(p.relative_to(tree) for p in shared)):
        end, link = f"/opt/{name}/current/{path}", f"/usr/{path}"
        yield f'  - {{src: "{end}", dst: "{link}", type: symlink}}'


def _quoted(value: str) -> str:
    """Return a value as it stands between YAML's double quotes, whose escapes JSON shares."""
    return json.dumps(value, ensure_ascii=False)[1:-1]
