"""tasks.deploy.offline_binary.package: what packers are given, and what the archive holds."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tasks.deploy.build import publish
from tasks.deploy.build.plan import Plan
from tasks.deploy.offline_binary import package
from tasks.deploy.offline_binary.artefacts import Artefacts
from tasks.deploy.settings import Settings
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment

from tests.tasks.conftest import Processes


@pytest.fixture
def packing(plan: Plan, environment: Environment, tmp_path: Path) -> package.Packing:
    tree, output = tmp_path / "work/tree", tmp_path / "output"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/my-service").write_text("program")
    (tree / "bin/my-service").chmod(0o755)
    output.mkdir()
    publish.write_manifest(output, {"name": "x"})
    (output / publish.SBOM).write_text("{}")
    return package.Packing(plan, environment, "2.31", tree, Artefacts(plan, output))


def test_an_archive_and_two_packages(packing: package.Packing, processes: Processes) -> None:
    package.release(packing)
    top = packing.artefacts.top
    with tarfile.open(packing.artefacts.archive) as tar:
        names = tar.getnames()
        assert tar.getmember(f"{top}/install").mode & 0o111
    assert {f"{top}/bin/my-service", f"{top}/host/release.json", f"{top}/install"} <= set(names)
    for packager, path in (("deb", packing.artefacts.deb), ("rpm", packing.artefacts.rpm)):
        command = processes.ran(f"--packager {packager}")
        assert command[-2:] == ["--target", str(path)]
    environ = processes.environs[-1]
    assert (environ["SOURCE_DATE_EPOCH"], environ["DOLLAR"]) == ("1700000000", "$")


@pytest.mark.parametrize("wanted", [(), ("rpm",), ("deb", "deb")])
def test_the_packages_that_are_wanted(
    wanted: tuple[str, ...], packing: package.Packing, processes: Processes
) -> None:
    plan = replace(packing.plan, settings=Settings(packages=wanted))
    package.release(replace(packing, plan=plan))
    called = " ".join(str(word) for command in processes.calls for word in command)
    assert {name for name in ("deb", "rpm") if f"--packager {name}" in called} == {*wanted}
    assert called.count("--packager") == len({*wanted})
    assert packing.artefacts.archive.exists()


@pytest.mark.usefixtures("processes")
def test_a_package_links_what_the_release_shares(packing: package.Packing) -> None:
    page = packing.tree / "share/man/man1/my-service.1"
    page.parent.mkdir(parents=True)
    page.touch()
    package.release(packing)
    config = yaml.safe_load(packing.tree.with_name("nfpm.yaml").read_text())
    links = {entry["dst"]: entry["src"] for entry in config["contents"] if "symlink" in str(entry)}
    current = "/opt/my-service/current"
    assert links == {
        "/usr/bin/my-service": f"{current}/bin/my-service",
        "/usr/bin/my-service-admin": f"{current}/bin/my-service-admin",
        "/usr/share/man/man1/my-service.1": f"{current}/share/man/man1/my-service.1",
    }


def test_elsewhere_than_on_linux_there_is_the_archive_alone(
    packing: package.Packing, processes: Processes
) -> None:
    plan = replace(packing.plan, system="darwin-arm64")
    there = replace(packing, plan=plan, artefacts=Artefacts(plan, packing.artefacts.folder))
    package.release(there)
    assert processes.calls == []
    with tarfile.open(there.artefacts.archive) as tar:
        assert f"{plan.stem}/install" not in tar.getnames()


def test_free_text_reaches_a_package_as_it_is(
    packing: package.Packing, processes: Processes
) -> None:
    project = replace(
        packing.plan.project, description='A "q" \\ $HOME é', author="N: $X", license="MIT"
    )
    settings = Settings(package_signing_key="/a $key")
    changed = replace(packing, plan=replace(packing.plan, project=project, settings=settings))
    package.release(changed)
    config = yaml.safe_load(packing.tree.with_name("nfpm.yaml").read_text())
    assert config["description"] == 'A "q" \\ ${DOLLAR}HOME é'
    assert config["maintainer"] == "N: ${DOLLAR}X <author@example.com>"
    assert config["version"] == "1.0~rc1"
    assert "/a ${DOLLAR}key" in json.dumps(config)


def test_a_packer_that_fails_is_told(packing: package.Packing, processes: Processes) -> None:
    processes.answer("--packager rpm", err="no key\n", code=1)
    with pytest.raises(TaskError, match=r"^nfpm failed with exit code 1:\n +no key"):
        package.release(packing)


def test_one_file_runs_by_itself(packing: package.Packing) -> None:
    package.single(packing)
    made = packing.artefacts.single
    assert made.stat().st_mode & 0o111
    first = made.read_bytes()
    assert first.startswith(b"#!/bin/sh")
    package.single(packing)
    assert made.read_bytes() == first
