"""`invoke release.repository`: what goes in, what is refused; apt and dnf try it in tests/e2e/."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tasks.deploy.build import keys, publish, signing
from tasks.deploy.settings import Settings
from tasks.lib import project
from tasks.lib.console import TaskError
from tasks.release import repositories
from tasks.release.repositories import yum

from tests.conftest import Bake
from tests.support import contents, missing, run

SPEC = """\
Name: my-service
Version: {version}
Release: 1
Summary: A package of the test's own
License: none
BuildArch: noarch
%description
It holds nothing.
%files
"""
UNSIGNED = Settings()


@pytest.fixture(autouse=True)
def _tools() -> None:
    for tool in ("apt-ftparchive", "createrepo_c", "dpkg-deb", "gpg", "rpmbuild", "ssh-keygen"):
        if not shutil.which(tool):
            missing(f"the command {tool} (tests/install-packages.sh)")


@pytest.fixture
def this(bake: Bake) -> project.Project:
    return project.load(bake())


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Return a .deb and an .rpm of two versions that hold nothing."""
    return {v: make(tmp_path_factory.mktemp(v), v) for v in ("1.0.0", "1.1.0")}


def make(folder: Path, version: str) -> list[Path]:
    control = folder / "deb/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: my-service\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: Test <test@example.com>\nDescription: A package of the test's own\n"
    )
    run(["dpkg-deb", "--build", "deb", f"my-service_{version}_amd64.deb"], cwd=folder)
    (folder / "package.spec").write_text(SPEC.format(version=version))
    run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}", "package.spec"], cwd=folder)
    return [*folder.glob("*.deb"), *folder.glob("RPMS/noarch/*.rpm")]


def lay(this: project.Project, made: list[Path], where: str = "offline-binary") -> None:
    folder = this.dist / where
    folder.mkdir(parents=True, exist_ok=True)
    for path in made:
        shutil.copy(path, folder)


def make_repository(
    this: project.Project, settings: Settings = UNSIGNED, url: str = "", only: str = ""
) -> Path:
    folder = this.dist / "repository"
    repositories.make(repositories.find(this, settings, folder, url, only), dry_run=False)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.suffix in {".deb", ".rpm"}}


def test_packages_of_all_releases_and_those_from_before(
    this: project.Project, packages: dict[str, list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    lay(this, packages["1.0.0"])
    made = make_repository(this)
    assert names(made) == {"my-service_1.0.0_amd64.deb", "my-service-1.0.0-1.noarch.rpm"}
    before = contents(made)
    make_repository(this)
    assert "release.repository: unchanged\n" in capsys.readouterr().out
    assert contents(made) == before
    # A release counts, and not what was built since; what was there stays.
    lay(this, packages["1.1.0"], "release/1.1.0/offline-binary")
    made.rename(made.with_name(".repository.old"))  # as a kill between two renames leaves it
    lay(this, [this.dist / "nothing"][1:], "release/.1.2.0.new/offline-binary")
    (this.dist / "release/.1.2.0.new/offline-binary/x_1.2.0_amd64.deb").touch()
    for path in (this.dist / "offline-binary").iterdir():
        path.write_bytes(b"another build")
    make_repository(this)
    assert len(names(made)) == 4
    assert publish.verify(made) == []
    listed = (made / "apt/dists/stable/main/binary-amd64/Packages").read_text()
    assert listed.count("\nFilename: pool/my-service_") == 2
    assert "Trusted: yes\n" in (made / "my-service.sources").read_text()
    assert "repo_gpgcheck=0\ngpgcheck=0\n" in (made / "my-service.repo").read_text()
    (made / "apt/pool/my-service_1.1.0_amd64.deb").unlink()
    assert publish.verify(made) == ["apt/pool/my-service_1.1.0_amd64.deb: missing"]


def test_signatures(
    this: project.Project,
    packages: dict[str, list[Path]],
    tmp_path: Path,
    gpg: list[str],
) -> None:
    kept = keys.make(tmp_path / "keys", this)
    settings = Settings(signing_key=str(kept.private), package_signing_key=str(kept.packages))
    lay(this, packages["1.0.0"])
    url = "https://packages.example.com/x/"
    made = make_repository(this, settings, url)
    assert signing.verify(made, settings, "my-service") == []
    run([*gpg, "--import", made / "my-service.asc"], cwd=made)
    suite = made / "apt/dists/stable"
    run([*gpg, "--verify", suite / "InRelease"], cwd=made)
    run([*gpg, "--verify", suite / "Release.gpg", suite / "Release"], cwd=made)
    index = made / "yum/repodata/repomd.xml"
    run([*gpg, "--verify", f"{index}.asc", index], cwd=made)
    assert (made / "my-service.sources").read_text() == (
        "Types: deb\nURIs: https://packages.example.com/x/apt\nSuites: stable\nComponents: main\n"
        "Signed-By: /etc/apt/keyrings/my-service.asc\n"
    )
    assert (made / "my-service.repo").read_text() == (
        "[my-service]\nname=my-service\nbaseurl=https://packages.example.com/x/yum\nenabled=1\n"
        "repo_gpgcheck=1\ngpgcheck=0\ngpgkey=file:///etc/pki/rpm-gpg/my-service.asc\n"
    ), "the package itself has no signature"
    assert not yum.is_signed(packages["1.0.0"][1])
    signed = shutil.copy(packages["1.0.0"][1], tmp_path)
    macros = ("_gpg_name my-service packages", f"__gpg {gpg[0]}")
    options = [option for macro in macros for option in ("--define", macro)]
    run([*gpg, "--import", kept.packages], cwd=tmp_path)
    run(["rpmsign", *options, "--addsign", signed], cwd=tmp_path,
        env={**os.environ, "GNUPGHOME": gpg[2]})  # fmt: skip
    assert yum.is_signed(Path(signed))


def test_a_key_with_a_passphrase(
    this: project.Project,
    packages: dict[str, list[Path]],
    tmp_path: Path,
    gpg: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked = tmp_path / "locked.asc"
    alone = [*gpg, "--pinentry-mode", "loopback", "--passphrase", "open sesame"]
    run([*alone, "--quick-generate-key", "locked", "ed25519", "sign", "never"], cwd=tmp_path)
    run([*alone, "--armor", "--output", locked, "--export-secret-keys"], cwd=tmp_path)
    lay(this, packages["1.0.0"])
    settings = Settings(package_signing_key=str(locked))
    monkeypatch.setenv("NFPM_PASSPHRASE", "wrong")
    with pytest.raises(TaskError, match=r"(?s)gpg failed with exit code 2:.*Bad passphrase"):
        make_repository(this, settings, only="apt")
    assert not (this.dist / "repository").exists()
    monkeypatch.setenv("NFPM_PASSPHRASE", "open sesame")
    made = make_repository(this, settings, only="apt")
    run([*gpg, "--verify", made / "apt/dists/stable/InRelease"], cwd=made)


def test_what_is_refused(
    this: project.Project, packages: dict[str, list[Path]], tmp_path: Path
) -> None:
    def refused(folder: Path = tmp_path / "repository", url: str = "", only: str = "") -> str:
        with pytest.raises(TaskError) as raised:
            repositories.find(this, Settings(), folder, url, only)
        return str(raised.value)

    assert refused() == "dist/ has no packages: `invoke deploy.offline-binary` makes them"
    lay(this, packages["1.0.0"])
    assert refused(only="rpm") == "--only is 'rpm': expected apt or yum"
    for url in ("packages.example.com", "file://", "ftp://example.com/x", "http://a b/"):
        assert refused(url=url).startswith(
            f"--url is '{url}': expected one that begins with file://"
        )
    said = refused(this.root)
    assert said == f"--path is '{this.root}': there is something else, which stays as it is"
    made = make_repository(this)
    assert refused(made, only="yum") == f"--only is 'yum': {made} has apt too, which would be gone"
    [package] = this.dist.glob("offline-binary/*.deb")
    package.write_bytes(package.read_bytes() + b"changed")
    assert refused(made).startswith(f"{package} is another package than {made}/apt/pool/")
    not_rpm = tmp_path / "x.rpm"
    not_rpm.write_text("x")
    with pytest.raises(TaskError, match=r"x\.rpm is no RPM package"):
        yum.is_signed(not_rpm)


def test_a_missing_tool_is_named(
    this: project.Project, packages: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(this, packages["1.0.0"])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        TaskError, match="needs apt-ftparchive: install apt-utils, or give --only yum"
    ):
        make_repository(this)
    with pytest.raises(TaskError, match="needs createrepo_c: install it, or give --only apt"):
        make_repository(this, only="yum")
    assert not (this.dist / "repository").exists()


def test_a_failure_leaves_what_was_there(
    this: project.Project, packages: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(this, packages["1.0.0"])
    made = make_repository(this)
    before = contents(made)
    lay(this, packages["1.1.0"])
    real = subprocess.run

    def broken(command: list[str], **options: object) -> object:
        if command[0] == "createrepo_c":
            raise KeyboardInterrupt
        return real(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        make_repository(this)
    assert contents(made) == before
    assert {path.name for path in this.dist.iterdir()} == {"offline-binary", "repository"}
