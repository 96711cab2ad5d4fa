"""`invoke deploy.offline-binary`: what it publishes, and what it never does."""

import colorsys
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tasks.deploy.build import keys, publish, signing
from tasks.deploy.build.plan import decide
from tasks.deploy.offline_binary import build as offline
from tasks.deploy.scripts import release_rank
from tasks.deploy.settings import Settings
from tasks.lib import lock, project

from tests.conftest import Bake
from tests.soak import some
from tests.support import (
    BREAKS,
    LEFT_BEHIND,
    WELL_KNOWN,
    add_dot_files,
    commit_change,
    contents,
    edit_lock,
    missing,
    offered_here,
    run,
    shown,
    wheel,
)

INVOKE = [sys.executable, "-m", "invoke"]
BUILD = [*INVOKE, "deploy.offline-binary"]
CODE = "src/my_service/runtime/cli.py"
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""


def build(folder: Path, *options: str, code: int = 0) -> str:
    done = run([*BUILD, *options], cwd=folder, code=code)
    return done.stdout + done.stderr


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.fixture(scope="module")
def built(bake: Bake) -> tuple[Path, Path]:
    """Return a project whose first package is built, and a copy of it that stays as it is."""
    made = bake(git=True, warm=True, python_version=offered_here())
    build(made)
    return made, shutil.copytree(made, made.with_name("pristine"), symlinks=True)


@pytest.fixture(scope="module")
def folder(built: tuple[Path, Path]) -> Path:
    """Return the project; tests change it one after the other."""
    return built[0]


@pytest.fixture(scope="module")
def pristine(built: tuple[Path, Path]) -> Path:
    """Return the project as it was after its first build, which no test may change."""
    return built[1]


@pytest.fixture
def published(folder: Path) -> Iterator[Path]:
    """Return the published folder; after each test, put the source back as it was."""
    yield folder / "dist" / "offline-binary"
    run(["git", "checkout", "--quiet", "."], cwd=folder)


def test_the_whole_set_is_published(published: Path) -> None:
    machine = os.uname().machine
    debian = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
    assert {path.name for path in published.iterdir()} == {
        "SHA256SUMS",
        "manifest.json",
        "sbom.cdx.json",
        f"my-service-0.1.0-linux-{machine}.tar.gz",
        f"my-service-0.1.0-1.{machine}.rpm",
        f"my-service_0.1.0_{debian}.deb",
    }
    assert publish.verify(published) == []


def test_the_manifest_says_what_was_built(folder: Path, published: Path) -> None:
    facts = publish.read_manifest(published)
    commit = run(["git", "rev-parse", "HEAD"], cwd=folder).stdout.strip()
    expected = {
        "version": "0.1.0",
        "commit": commit,
        "dirty": False,
        "release": f"0.1.0+{commit[:12]}",
        "quadrant": "offline-binary",
        "lock_sha256": publish.sha256(folder / "Pipfile.lock"),
        "source_date": "2026-01-01T00:00:00+00:00",
    }
    assert {key: facts[key] for key in expected} == expected
    assert facts["python"].startswith(offered_here())
    # objdump is an independent reader of what the program asks of glibc.
    tables = run(
        ["sh", "-c", "find . -type f -exec objdump -T {} + 2>/dev/null | grep -o 'GLIBC_2[.0-9]*'"],
        cwd=newest(folder / "build" / "offline-binary", "base-*") / "tree",
    )
    floors = {tuple(map(int, line[6:].split(".")[:2])) for line in tables.stdout.split()}
    assert facts["glibc_floor"] == ".".join(map(str, max(floors)))
    assert "libcrypto" in " ".join(facts["libraries"])


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime)


def test_the_bill_of_materials_is_the_lock(folder: Path, published: Path) -> None:
    text = (published / publish.SBOM).read_text()
    python = newest(folder / "build/environments", "packages-build-*/bin/python")
    assert run([python, "-c", VALIDATE], cwd=folder, stdin=text).stdout == "None\n"
    bill = json.loads(text)
    components = {c["name"]: c for c in bill["components"]}
    locked = lock.packages(folder / "Pipfile.lock", "packages")
    names = {project.normalised(name) for name in components}
    assert names == {project.normalised(name) for name in locked} | {"cpython"}
    click = components["click"]
    assert click["version"] == locked["click"]["version"].lstrip("=")
    hashes = {h["content"] for h in click["externalReferences"][0]["hashes"]}
    assert hashes == {h.removeprefix("sha256:") for h in locked["click"]["hashes"]}
    assert click["licenses"]
    root = bill["metadata"]["component"]
    assert root["version"] == publish.read_manifest(published)["release"]
    edges = {edge["ref"]: edge.get("dependsOn", []) for edge in bill["dependencies"]}
    assert len(edges[root["bom-ref"]]) == 8  # the Pipfile's seven and the interpreter
    assert any(ref.startswith("h11==") for ref in edges[components["uvicorn"]["bom-ref"]])


def test_no_build_tool_slips_in(folder: Path, published: Path, tmp_path: Path) -> None:
    with tarfile.open(next(published.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    internal = next(tmp_path.glob("*/bin/_internal"))
    there = {path.name.partition(".")[0] for path in internal.iterdir()}
    assert {"click", "starlette", "my_service"} <= there
    build_only = {"PyInstaller", "altgraph", "cyclonedx", "lxml", "setuptools", "attr", "packaging"}
    assert not there & (build_only | {"tkinter", "test"})
    assert not [p for name in ("my_service", "host") for p in (internal / name).rglob("*.py")]
    program = internal.parent / "my-service"
    said = run([program, "version"], cwd=tmp_path).stdout
    assert said == f"my-service {publish.read_manifest(published)['release']}\n"
    # No file contains the path of the folder that it was built in.
    root = os.fsencode(folder)
    assert not [p for p in internal.rglob("*") if p.is_file() and root in p.read_bytes()]


def test_an_unchanged_project_is_not_built_again(folder: Path, published: Path) -> None:
    before = {path: path.stat().st_ino for path in published.iterdir()}
    assert "unchanged, nothing to do" in build(folder)
    assert {path: path.stat().st_ino for path in published.iterdir()} == before


def test_a_damaged_artefact_is_built_again(folder: Path, published: Path) -> None:
    before = contents(published)
    package = next(published.glob("*.deb"))
    package.chmod(0o644)
    package.write_bytes(package.read_bytes()[:-1] + b"?")
    wrong = run([*INVOKE, "deploy.verify", published], cwd=folder, code=1)
    assert f"{package.name}: changed" in wrong.stderr
    assert "built" in build(folder)
    assert contents(published) == before


def test_the_plan_changes_nothing(folder: Path, published: Path) -> None:
    append(folder / CODE, "# changed\n")
    before = contents(folder)
    assert "to be built" in build(folder, "--dry-run")
    assert contents(folder) == before


def test_a_stale_or_missing_lock_is_refused(folder: Path, published: Path) -> None:
    append(folder / "Pipfile", '\n[more]\nclick = "*"\n')
    for options in ((), ("--dry-run",)):
        stale = "error: Pipfile.lock does not fit its Pipfile: run `invoke deps.lock`\n"
        assert build(folder, *options, code=1) == stale
    (folder / "Pipfile.lock").unlink()
    for options in ((), ("--dry-run",)):
        gone = "error: there is no Pipfile.lock: run `invoke deps.lock`\n"
        assert build(folder, *options, code=1) == gone


def test_the_plan_refuses_what_the_build_refuses(
    folder: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for options in ((), ("--dry-run",)):
        said = build(folder, *options, code=1)
        wanted = "PyInstaller needs objcopy, objdump, ldd, strip: install binutils"
        assert said == f"error: {wanted}\n"


def test_data_with_dots_before_its_names_arrives(
    folder: Path, published: Path, tmp_path: Path
) -> None:
    add_dot_files(folder)
    try:
        assert "PyInstaller" not in build(folder)
    finally:
        run(["git", "clean", "--quiet", "--force", "-d", "src"], cwd=folder)
    with tarfile.open(next(published.glob("*.tar.gz"))) as archive:
        names = {name.partition("/bin/_internal/")[2] for name in archive.getnames()}
    assert WELL_KNOWN.removeprefix("src/") in names
    assert not [name for name in LEFT_BEHIND if name.removeprefix("src/") in names]


@pytest.mark.parametrize("wanted", ["2.7", "3.13.0", "banana"])
def test_an_unsupported_python_is_refused(folder: Path, published: Path, wanted: str) -> None:
    said = build(folder, "--python", wanted, code=1)
    assert said == f"error: --python is '{wanted}': expected one of 3.11, 3.12, 3.13, 3.14\n"


@pytest.mark.parametrize("value", ["abc", "1", "-3"])
def test_a_wrong_setting_is_refused(folder: Path, published: Path, value: str) -> None:
    path = folder / "invoke.yaml"
    path.write_text(path.read_text().replace("keep_releases: 3", f"keep_releases: {value}"))
    said = build(folder, code=1)
    expected = "expected a whole number of at least 2"
    assert said == f"error: deploy.keep_releases is '{value}': {expected}\n"


def test_a_program_that_cannot_be_served_is_refused(folder: Path, published: Path) -> None:
    before = contents(published)
    (folder / "src/my_service/app.py").write_text("import flask\n\napp = flask.Flask(__name__)\n")
    said = build(folder, code=1).splitlines()
    assert said[-1] == (
        "error: my_service.app needs the module 'flask' (my_service.app, line 1), which is not "
        "installed: add it to [packages] of the Pipfile, and lock"
    )
    assert not [line for line in said if "PyInstaller" in line or "own code" in line]
    assert contents(published) == before


def test_a_program_that_does_not_run_is_not_published(folder: Path, published: Path) -> None:
    before = contents(published)
    append(folder / "src/my_service/app.py", BREAKS)
    said = build(folder, code=1)
    assert "error: the built program does not work: it ended with exit code 1" in said
    assert "it breaks here" in said
    assert "Traceback" not in said
    assert contents(published) == before


def test_a_wrong_release_id_is_not_published(folder: Path, published: Path) -> None:
    path = folder / "src/my_service/runtime/release.py"
    path.write_text(path.read_text().replace('facts["release"]', '"0.0.9+lies"'))
    assert "release is 0.0.9+lies, expected 0.1.0+" in build(folder, code=1)


def test_a_kill_at_any_moment_leaves_what_was_there(
    pristine: Path, copied: Path, tmp_path: Path
) -> None:
    published = copied / "dist" / "offline-binary"
    before = contents(published)
    elsewhere = shutil.copytree(pristine, tmp_path / "elsewhere", symlinks=True)
    append(elsewhere / CODE, "# killed\n")
    start = time.monotonic()
    build(elsewhere)
    whole = time.monotonic() - start
    after = contents(elsewhere / "dist" / "offline-binary")
    assert after != before
    append(copied / CODE, "# killed\n")
    for part in some(range(1, 10), 4, "killed builds"):
        with subprocess.Popen(
            BUILD, cwd=copied, start_new_session=True, stdout=subprocess.DEVNULL
        ) as building:
            try:
                building.wait(whole * part / 9)
            except subprocess.TimeoutExpired:
                os.killpg(building.pid, signal.SIGKILL)
        assert contents(published) in (before, after)
    build(copied)
    assert contents(published) == after
    assert [path.name for path in published.parent.iterdir()] == ["offline-binary"]


def test_a_quick_build_gives_the_bytes_of_a_full_one_elsewhere(
    folder: Path, published: Path, bake: Bake
) -> None:
    """Build one commit on a base that was kept, and from nothing in another folder."""
    elsewhere = bake(git=True, python_version=offered_here())
    for place in (folder, elsewhere):
        append(place / CODE, "# the second commit\n")
        commit_change(place)
    assert "PyInstaller" not in build(folder)
    assert "PyInstaller" in build(elsewhere)
    there = contents(elsewhere / "dist" / "offline-binary")
    assert contents(published) == there
    assert len(there) == 6


def test_free_text_and_odd_paths_are_carried_into_the_packages(
    folder: Path, published: Path, tmp_path: Path
) -> None:
    odd = shutil.copytree(folder, tmp_path / 'a #1 "b" $HOME', symlinks=True)
    text = "costs $HOME ${PATH}, 'q' \"r\" # 100% {{ x }} @name@ é🎉 \\"
    pyproject = odd / "pyproject.toml"
    settings = pyproject.read_text()
    for before, after in (("A small web service", text), ("Your Name", "A $USER: # B")):
        assert before in settings
        settings = settings.replace(before, json.dumps(after, ensure_ascii=False)[1:-1])
    pyproject.write_text(settings)
    assert "PyInstaller" not in build(odd)
    output = odd / "dist" / "offline-binary"
    deb, rpm = next(output.glob("*.deb")), next(output.glob("*.rpm"))
    fields = run(["dpkg-deb", "--field", deb, "Description", "Maintainer"], cwd=odd).stdout
    assert fields == f"Description: {text}\nMaintainer: A $USER: # B <you@example.com>\n"
    tool = shutil.which("rpm") or missing("rpm")
    query = [tool, "--query", "--queryformat", "%{DESCRIPTION}\n%{PACKAGER}", "--package", rpm.name]
    assert run(query, cwd=output).stdout == f"{text}\nA $USER: # B <you@example.com>"
    with tarfile.open(next(output.glob("*.tar.gz"))) as archive:
        unit = archive.extractfile("my-service-0.1.0-linux-x86_64/host/my-service.service")
        assert unit is not None
        lines = unit.read().decode().splitlines()
    assert f"Description={text.replace('%', '%%')} " in lines


def test_elsewhere_than_on_linux_program_and_archive_are_built(
    folder: Path,
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    plan = decide(offline.QUADRANT, project.load(folder), Settings())
    offline.build(plan)
    archive = f"my-service-0.1.0-darwin-{os.uname().machine}.tar.gz"
    names = {"SHA256SUMS", "manifest.json", "sbom.cdx.json", archive}
    assert {path.name for path in published.iterdir()} == names
    with tarfile.open(published / archive) as members:
        assert not [name for name in members.getnames() if "/host/" in name]
    assert "the .deb and the .rpm are built on Linux" in capsys.readouterr().out


POOL = """

@main.command()
def pool() -> None:
    \"\"\"Work in other processes.\"\"\"
    import importlib
    import multiprocessing
    import pkgutil

    import parcel

    click.echo(sorted(module.name for module in pkgutil.iter_modules(parcel.__path__)))
    click.echo(importlib.import_module("colorsys").rgb_to_hls(0, 0, 0))
    for method in ("spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as workers:
            click.echo(workers.map(abs, [-1, -2]))
"""


SEEN = """
import importlib
def look(name): return importlib.import_module(name.rpartition(".")[0])
look("parcel.by_string.Logger")
look("parcel." + "out_of_sight" + ".Logger")
"""


def test_one_file_with_hidden_imports_and_helper_processes(
    folder: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its dependency has a module that only a string names, and two that nothing names."""
    for tool in ("UV", "PIP"):
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(tmp_path))
    modules = {"by_string": "", "out_of_sight": "", "not_imported": ""}
    parcel = wheel(tmp_path, "parcel", __init__=SEEN, **modules)
    edit_lock(folder, {"parcel": parcel})
    before = contents(published)
    append(folder / CODE, POOL)
    said = build(folder, "--onefile", code=1)
    assert said.splitlines()[-1] == (
        "error: parcel cannot be imported in what was built: No module named 'parcel.out_of_sight' "
        "(add parcel.out_of_sight to deploy.offline_binary.hidden_imports in invoke.yaml)"
    )
    assert contents(published) == before
    settings = folder / "invoke.yaml"
    text = settings.read_text()
    text = text.replace("hidden_imports: []", "hidden_imports: [colorsys]")
    settings.write_text(text.replace("collect_submodules: []", "collect_submodules: [parcel]"))
    build(folder, "--onefile")
    names = sorted(path.name for path in published.iterdir())
    assert len(names) == 4
    single = published / next(name for name in names if name.endswith(".run"))
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    said = run([single, "pool"], cwd=tmp_path, env=home).stdout
    shown = [str(sorted(modules)), str(colorsys.rgb_to_hls(0, 0, 0)), "[1, 2]", "[1, 2]"]
    assert said.splitlines() == shown
    assert publish.verify(published) == []


@pytest.fixture
def copied(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy of the project, with its base and its packages, for one test alone."""
    return shutil.copytree(pristine, tmp_path / "copied", symlinks=True)


@pytest.fixture
def made(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpg: list[str]
) -> keys.Keys:
    """Return keys with which the copied project signs; their path has odd characters."""
    pair = keys.make(tmp_path / 'a "$HOME" #1' / "key", project.load(copied))
    monkeypatch.setenv("INVOKE_DEPLOY_SIGNING_KEY", str(pair.private))
    return pair


def test_a_signed_build(copied: Path, made: keys.Keys, tmp_path: Path) -> None:
    output = copied / "dist" / "offline-binary"
    unsigned = contents(output)
    assert "PyInstaller" not in build(copied)
    signed = contents(output)
    assert set(signed) - set(unsigned) == {publish.SIGNATURE}
    by = f"signature  by {made.fingerprint}, the key in invoke.yaml"
    assert by in run([*INVOKE, "deploy.verify", output], cwd=copied).stdout
    # The release inside is signed too: a machine checks the release, not the archive around it.
    with tarfile.open(next(output.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    [tree] = tmp_path.glob("my-service-*")
    settings = Settings(signing_key=str(made.private))
    assert signing.verify(tree, settings, "my-service") == []
    # The same commit and key give the same bytes, and nothing is built twice.
    assert "unchanged, nothing to do" in build(copied)
    shutil.rmtree(output)
    build(copied)
    assert contents(output) == signed


def state(folder: Path) -> str:
    [line] = [row for row in build(folder, "--dry-run").splitlines() if "  state " in row]
    return line.partition("state")[2].strip()


def test_what_makes_signed_artefacts_stale(
    copied: Path, made: keys.Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = copied / "dist" / "offline-binary"

    assert state(copied) == "to be built"  # the published artefacts are unsigned
    build(copied)
    assert state(copied) == "unchanged, nothing to do"
    signature = output / publish.SIGNATURE
    kept = signature.read_bytes()
    signature.unlink()
    assert state(copied) == "to be built"
    signature.write_bytes(kept)
    assert state(copied) == "unchanged, nothing to do"
    other = keys.make(tmp_path / "other", project.load(copied))
    other.private.replace(made.private)
    other.public.replace(made.public)
    # Only the outer signature is made anew, so the release inside still has the old one.
    signing.sign(output, Settings(signing_key=str(made.private)))
    assert state(copied) == "to be built"
    build(copied)
    assert signature.read_bytes() != kept
    monkeypatch.delenv("INVOKE_DEPLOY_SIGNING_KEY")
    build(copied)
    assert not signature.exists()


def test_a_key_that_is_not_there_stops_a_build_before_anything(
    bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = bake(python_version=offered_here())
    before = contents(fresh)
    monkeypatch.setenv("INVOKE_DEPLOY_SIGNING_KEY", "/nowhere/key")
    why = "there is no such file (invoke deploy.keygen makes one)"
    said = build(fresh, code=1)
    assert said == f"error: deploy.signing_key is '/nowhere/key': {why}\n"
    assert {k: v for k, v in contents(fresh).items() if "__pycache__" not in k} == before


def test_a_release_has_a_rank(pristine: Path, tmp_path: Path) -> None:
    with tarfile.open(next((pristine / "dist/offline-binary").glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    facts = json.loads(next(tmp_path.glob("*/host/release.json")).read_text())
    assert facts["rank"] == release_rank.rank("0.1.0", 1_767_225_600)
    assert (facts["trial_seconds"], facts["overlap"]) == (60, True)


def test_signed_packages(
    copied: Path,
    made: keys.Keys,
    gpg: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Check each with a machine's own tools; except for its signature it is unchanged."""
    output = copied / "dist" / "offline-binary"
    build(copied)
    unsigned = {path.suffix: shutil.copy(path, tmp_path) for path in output.iterdir()}
    monkeypatch.setenv("INVOKE_DEPLOY_PACKAGE_SIGNING_KEY", str(made.packages))
    build(copied)
    deb, rpm = next(output.glob("*.deb")), next(output.glob("*.rpm"))
    assert state(copied) == "unchanged, nothing to do"
    made.packages.write_text(made.packages.read_text() + "another\n")
    assert state(copied) == "to be built"

    # Run the commands of the operator's page, with keys and an rpm database of the test's own.
    tools = tmp_path / "tools"
    tools.mkdir()
    rpm_tool = shutil.which("rpm") or missing("rpm")
    wrap(tools / "rpm", rpm_tool, "--dbpath", str(tmp_path / "rpmdb"))
    wrap(tools / "gpg", *gpg)
    wrap(tools / "sudo", "env")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    block = shown(copied / "docs/signatures.md", "rpm --import")
    by_hand = ["sh", "-ec", f"name=my-service\n{block}"]
    assert "SIGNATURES NOT OK" in run(["rpm", "-K", rpm], cwd=output, code=1).stdout
    shutil.copy(made.packages_public, output / "signing-key.pub.asc")
    checked = run(by_hand, cwd=output)
    assert checked.stdout == f"{rpm.name}: digests signatures OK\n"
    assert f"using RSA key {made.packages_fingerprint}" in checked.stderr
    assert "Good signature from" in checked.stderr

    fields = "%{SHA256HEADER} %{PAYLOADDIGEST}"
    same = [
        run(["rpm", "-qp", "--queryformat", fields, path], cwd=output).stdout
        for path in (rpm, unsigned[".rpm"])
    ]
    assert same[0] == same[1]
    parts = ["debian-binary", "control.tar.gz", "data.tar.gz"]
    assert members(Path(unsigned[".deb"])) == parts
    assert members(deb) == [*parts, "_gpgorigin"]
    for part in parts:
        assert member(deb, part) == member(Path(unsigned[".deb"]), part)

    run(["dpkg-deb", "--info", deb], cwd=output)  # dpkg accepts a signature in a package
    for path in (deb, rpm):  # one byte of what they carry
        path.chmod(0o644)
        content = path.read_bytes()
        at = len(content) * 2 // 3
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    assert "DIGESTS SIGNATURES NOT OK" in run(["rpm", "-K", rpm], cwd=output, code=1).stdout
    block = block[block.index("ar p") :]
    assert (
        "BAD signature"
        in run([*by_hand[:2], f"name=my-service\n{block}"], cwd=output, code=1).stderr
    )


def wrap(path: Path, *command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


def members(deb: Path) -> list[str]:
    return run(["ar", "t", deb], cwd=deb.parent).stdout.split()


def member(deb: Path, name: str) -> bytes:
    return subprocess.run(["ar", "p", deb, name], capture_output=True, check=True).stdout


def test_a_package_key_with_a_passphrase(
    copied: Path, gpg: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = copied / "dist" / "offline-binary"
    before = contents(output)
    gpg += ["--pinentry-mode", "loopback", "--passphrase", "open sesame"]
    run([*gpg, "--quick-generate-key", "locked", "rsa2048", "sign", "never"], cwd=tmp_path)
    run([*gpg, "--armor", "--output", "locked.asc", "--export-secret-keys"], cwd=tmp_path)
    (tmp_path / "locked.asc").chmod(0o600)
    monkeypatch.setenv("INVOKE_DEPLOY_PACKAGE_SIGNING_KEY", str(tmp_path / "locked.asc"))
    assert "key is encrypted but no passphrase was provided" in build(copied, code=1)
    assert contents(output) == before
    monkeypatch.setenv("NFPM_PASSPHRASE", "open sesame")
    build(copied)
    assert "_gpgorigin" in members(next(output.glob("*.deb")))
