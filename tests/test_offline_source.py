"""`invoke deploy.offline-source`: what it publishes, and what it never does."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tasks.deploy.build import publish
from tasks.lib import lock

from tests.conftest import Bake
from tests.support import (
    BREAKS,
    LEFT_BEHIND,
    WELL_KNOWN,
    add_dot_files,
    commit_change,
    contents,
    edit_lock,
    offered_here,
    run,
    wheel,
)

INVOKE = [sys.executable, "-m", "invoke"]
BUILD = [*INVOKE, "deploy.offline-source"]
CODE = "src/my_service/runtime/cli.py"
MACHINE = os.uname().machine
# With this, uv does not try to download a standalone interpreter.
OFFLINE = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}


def build(folder: Path, *options: str, code: int = 0) -> str:
    done = run([*BUILD, *options], cwd=folder, env=OFFLINE, code=code)
    return done.stdout + done.stderr


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.fixture(scope="module")
def folder(bake: Bake) -> Path:
    """Return a project whose first bundle is built."""
    made = bake(git=True, warm=True, python_version=offered_here())
    build(made)
    return made


@pytest.fixture
def published(folder: Path) -> Iterator[Path]:
    """Return the published folder; after each test, put the source back as it was."""
    yield folder / "dist" / "offline-source"
    run(["git", "checkout", "--quiet", "."], cwd=folder)


@pytest.fixture(scope="module")
def bundle(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked bundle."""
    target = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(next((folder / "dist/offline-source").glob("*.tar.gz"))) as archive:
        archive.extractall(target, filter="data")
    (found,) = target.iterdir()
    return found


@pytest.fixture(scope="module")
def tree(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tree that the bundle's own interpreter makes, in a path with odd characters."""
    made = tmp_path_factory.mktemp("a tree") / "blå ' $HOME"
    make_release(bundle, made)
    return made


def home(bundle: Path) -> Path:
    (found,) = bundle.glob("Python*")
    return found


def make_release(bundle: Path, *options: str | Path, code: int = 0) -> str:
    python: list[str | Path] = ["sh", home(bundle) / "bin/python3", "-I", "-S", "-B"]
    making = [*python, bundle / "Script/make_release.py"]
    done = run([*making, *options[:-1], bundle, options[-1]], cwd=bundle, code=code)
    return done.stderr


def sums(file: Path) -> dict[str, str]:
    lines = (line.partition("  ") for line in file.read_text().splitlines())
    return {name: digest for digest, _, name in lines}


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): publish.sha256(path) for path in files}


def test_the_whole_set_is_published(published: Path) -> None:
    stem = f"my-service-0.1.0-linux-{MACHINE}"
    names = {"SHA256SUMS", "manifest.json", "sbom.cdx.json", f"{stem}.run", f"{stem}.tar.gz"}
    assert {path.name for path in published.iterdir()} == names
    assert publish.verify(published) == []


def test_the_bundle_has_four_folders_of_plain_files(bundle: Path) -> None:
    assert bundle.name == "my-service"
    python = f"Python{offered_here()}"
    assert {path.name for path in bundle.iterdir()} == {"ProjectSrc", "Script", "PyPI", python}
    assert not [path for path in bundle.rglob("*") if path.is_symlink()]
    expected = digests(bundle)
    del expected["Script/SHA256SUMS"]
    assert sums(bundle / "Script/SHA256SUMS") == expected


def test_the_source_is_what_git_tracks(folder: Path, bundle: Path) -> None:
    tracked = run(["git", "ls-files"], cwd=folder).stdout.splitlines()
    assert set(digests(bundle / "ProjectSrc")) == set(tracked)


def test_the_manifest_says_what_was_built(folder: Path, published: Path, tree: Path) -> None:
    facts = publish.read_manifest(published)
    commit = run(["git", "rev-parse", "HEAD"], cwd=folder).stdout.strip()
    expected = {
        "release": f"0.1.0+{commit[:12]}",
        "dirty": False,
        "quadrant": "offline-source",
        "interpreter": "local",
        "glibc_carried": True,
        "built_from_source": {},
        "platform": f"linux-{MACHINE}",
        "lock_sha256": publish.sha256(folder / "Pipfile.lock"),
        "source_date": "2026-01-01T00:00:00+00:00",
    }
    assert {key: facts[key] for key in expected} == expected
    assert facts["python"].startswith(offered_here())
    # objdump is an independent reader of what the files ask of glibc; the carried glibc is apart.
    tables = run(
        ["sh", "-c", "find python -path python/lib/glibc -prune -o -type f -exec objdump -T {} + "
         "2>/dev/null | grep -o 'GLIBC_2[.0-9]*'"],
        cwd=tree,
    )  # fmt: skip
    floors = {tuple(map(int, line[6:].split(".")[:2])) for line in tables.stdout.split()}
    assert facts["glibc_floor"] == ".".join(map(str, max(floors)))


def test_every_wheel_is_one_that_the_lock_admits(folder: Path, bundle: Path) -> None:
    locked = lock.packages(folder / "Pipfile.lock", "packages")
    admitted = {value for entry in locked.values() for value in entry["hashes"]}
    wheels = {path.name: publish.sha256(path) for path in (bundle / "PyPI").glob("*.whl")}
    assert {f"sha256:{digest}" for digest in wheels.values()} <= admitted
    lines = (bundle / "PyPI/requirements.txt").read_text().splitlines()
    pinned = dict(line.split(" --hash=sha256:") for line in lines)
    assert sorted(pinned.values()) == sorted(wheels.values())
    names = {requirement.partition("==")[0] for requirement in pinned}
    assert {"anyio", "click", "h11", "starlette", "uvicorn"} <= names <= set(locked)
    assert "colorama" not in names  # click's, on Windows alone


def test_the_tree_is_the_one_that_was_built_and_tried(tree: Path) -> None:
    expected = digests(tree)
    del expected["SHA256SUMS"]
    assert sums(tree / "SHA256SUMS") == expected


def test_the_tree_works_in_any_folder(tree: Path, published: Path, tmp_path: Path) -> None:
    bare = {"PATH": "/usr/bin:/bin"}
    release = publish.read_manifest(published)["release"]
    moved = tree.rename(tree.with_name("moved ü"))
    link = tmp_path / "command"
    try:
        link.symlink_to(moved / "bin/my-service")
        for program in (moved / "bin/my-service", link):
            said = run([program, "version"], cwd=tmp_path, env=bare).stdout
            assert said == f"my-service {release}\n"
        script = (
            "import sys, ssl, sqlite3, ctypes, lzma, bz2, curses, zoneinfo, subprocess\n"
            "print(sys.path, sys.executable, zoneinfo.ZoneInfo('Europe/Berlin'))\n"
            "print(subprocess.check_output([sys.executable, '-c', 'print(1)']))\n"
        )
        said = run(
            [moved / "python/bin/python3", "-I", "-c", script], cwd=tmp_path, env=bare
        ).stdout
        places = re.findall(r"'(/[^']*)'", said)
        assert places
        assert all(place.startswith(str(moved)) for place in places)
        assert "Europe/Berlin\nb'1\\n'\n" in said
        command = moved / "python/bin/uvicorn"
        assert "Running uvicorn" in run([command, "--version"], cwd=tmp_path, env=bare).stdout
    finally:
        moved.rename(tree)


def test_the_carried_glibc_runs_it_too(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "getconf").write_text("#!/bin/sh\necho glibc 2.17\n")
    (tmp_path / "getconf").chmod(0o755)
    old = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    script = "import os, ssl, sqlite3, sys; print(os.readlink('/proc/self/exe'), sys.executable)"
    said = run([tree / "python/bin/python3", "-I", "-c", script], cwd=tree, env=old).stdout
    assert "/python/lib/glibc/ld-linux" in said
    assert said.endswith("/python/bin/python3\n")
    assert "my-service 0.1.0" in run([tree / "bin/my-service", "version"], cwd=tree, env=old).stdout


def test_the_launcher_passes_nothing_on(tree: Path) -> None:
    script = "import os; print(sorted(name for name in os.environ if name != 'LC_CTYPE'))"
    python: list[str | Path] = [tree / "python/bin/python3", "-I", "-c", script]
    said = run(python, cwd=tree, env={"PATH": "/usr/bin:/bin", "home": "mine"}).stdout
    assert set(said[2:-3].split("', '")) <= {
        "PATH",
        "PWD",
        "SSL_CERT_FILE",
        "TERMINFO_DIRS",
        "home",
    }


def test_nothing_of_the_machine_that_built_it_is_carried(folder: Path, tree: Path) -> None:
    roots = [os.fsencode(path) for path in (folder, Path.home() / ".pyenv")]
    found = [
        path.relative_to(tree)
        for path in tree.rglob("*")
        if path.is_file() and any(root in path.read_bytes() for root in roots)
    ]
    # The interpreter's program and library name the place they were built in, but do not use it.
    assert {path.name.partition(".so")[0] for path in found} <= {
        f"python{offered_here()}",
        f"libpython{offered_here()}",
    }


def test_an_unchanged_project_is_not_built_again(folder: Path, published: Path) -> None:
    before = {path: path.stat().st_ino for path in published.iterdir()}
    assert "unchanged, nothing to do" in build(folder)
    assert "unchanged, nothing to do" in build(folder, "--dry-run")
    assert {path: path.stat().st_ino for path in published.iterdir()} == before


def test_a_quick_build_gives_the_bytes_of_a_full_one_elsewhere(
    folder: Path, published: Path, bake: Bake
) -> None:
    elsewhere = bake(git=True, python_version=offered_here())
    for place in (folder, elsewhere):
        append(place / CODE, "# the second commit\n")
        commit_change(place)
    assert "wheels" not in build(folder)
    assert "wheels" in build(elsewhere)
    there = contents(elsewhere / "dist" / "offline-source")
    assert contents(published) == there
    assert len(there) == 5


def test_the_plan_changes_nothing(folder: Path, published: Path) -> None:
    append(folder / CODE, "# changed\n")
    before = contents(folder)
    assert "to be built" in build(folder, "--dry-run")
    assert contents(folder) == before


def test_another_python(folder: Path, published: Path) -> None:
    older = "3.12" if offered_here() != "3.12" else "3.11"
    assert f"python    {older}." in build(folder, "--dry-run", "--python", older)
    said = build(folder, "--python", "2.7", code=1)
    assert said == "error: --python is '2.7': expected one of 3.11, 3.12, 3.13, 3.14\n"


REFUSED: dict[tuple[str, ...], str] = {
    (
        "--platform",
        "windows-x86_64",
    ): "--platform is 'windows-x86_64': bundles are for linux-x86_64,",
    ("--platform", "linux-s390x"): "no standalone Python 3",
}


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_a_platform_that_cannot_be_had_is_one_line(
    folder: Path, published: Path, options: tuple[str, ...]
) -> None:
    before = contents(folder / "dist"), contents(folder / "build")
    for more in ((), ("--dry-run",)):
        said = build(folder, *options, *more, code=1)
        assert said.splitlines()[-1].startswith(f"error: {REFUSED[options]}")
        assert "Traceback" not in said
        assert (contents(folder / "dist"), contents(folder / "build")) == before


SETTINGS = {
    "interpreter: auto": ("interpreter: mine", "expected auto or standalone or local"),
    'standalone_version: ""': ("standalone_version: new", "expected a version such as 3.13.5"),
    'standalone_mirror: ""': ("standalone_mirror: here", "expected a URL"),
}


@pytest.mark.parametrize("before", SETTINGS)
def test_a_wrong_setting_is_refused(folder: Path, published: Path, before: str) -> None:
    after, expected = SETTINGS[before]
    path = folder / "invoke.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    said = build(folder, code=1)
    name, _, value = after.partition(": ")
    assert said.startswith(f"error: deploy.offline_source.{name} is '{value}': {expected}")
    assert len(said.splitlines()) == 1


@pytest.fixture
def copied(folder: Path, published: Path, tmp_path: Path) -> Path:
    """Return a copy of the project whose lock may be edited; its base is there already."""
    return shutil.copytree(folder, tmp_path / "copied", symlinks=True)


NOWHERE: Mapping[str, object] = {"version": "==1.0", "hashes": [f"sha256:{'0' * 64}"]}


def test_a_dependency_that_cannot_be_had_is_named(copied: Path) -> None:
    edit_lock(copied, {"no-such-thing-anywhere": NOWHERE})
    before = contents(copied / "dist")
    expected = (
        "error: no-such-thing-anywhere 1.0 cannot be bundled: "
        f"there is no file of it for linux-{MACHINE}"
    )
    assert build(copied, code=1).splitlines()[-1] == expected
    assert contents(copied / "dist") == before
    assert not list((copied / "build/offline-source").glob("base-*.*"))


def test_what_cannot_be_imported_is_not_published(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OFFLINE, "UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setitem(OFFLINE, "PIP_FIND_LINKS", str(tmp_path))
    broken = wheel(tmp_path, "broken", __init__="import no_such_module\n")
    deadly = wheel(tmp_path, "deadly", __init__="import os\nos._exit(7)\n")
    before = contents(copied / "dist")
    edit_lock(copied, {"broken": broken, "deadly": deadly})
    assert build(copied, code=1).splitlines()[-2:] == [
        "error: broken cannot be imported in what was built: No module named 'no_such_module' "
        "(it is not in the lock: add it to the Pipfile)",
        "  deadly cannot be imported in what was built: it ended with exit code 7",
    ]
    assert contents(copied / "dist") == before
    assert not list((copied / "build/offline-source").glob("base-*.*"))


def test_data_with_dots_before_its_names_arrives(copied: Path, tmp_path: Path) -> None:
    add_dot_files(copied)
    assert "built" in build(copied)
    with tarfile.open(next((copied / "dist/offline-source").glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    bundle = tmp_path / "unpacked/my-service"
    made = tmp_path / "made"
    make_release(bundle, made)
    expected = digests(made)
    del expected["SHA256SUMS"]
    assert sums(made / "SHA256SUMS") == expected
    site = f"python/lib/python{offered_here()}/site-packages"
    assert f"{site}/{WELL_KNOWN.removeprefix('src/')}" in expected
    assert not [name for name in LEFT_BEHIND if f"{site}/{name.removeprefix('src/')}" in expected]


def test_a_stale_or_missing_lock_is_refused(copied: Path) -> None:
    append(copied / "Pipfile", '\n[more]\nclick = "*"\n')
    for options in ((), ("--dry-run",), ("--platform", "linux-aarch64")):
        stale = "error: Pipfile.lock does not fit its Pipfile: run `invoke deps.lock`\n"
        assert build(copied, *options, code=1) == stale
    (copied / "Pipfile.lock").unlink()
    for options in ((), ("--dry-run",)):
        gone = "error: there is no Pipfile.lock: run `invoke deps.lock`\n"
        assert build(copied, *options, code=1) == gone


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
    assert contents(published) == before


@pytest.fixture
def doctored(bundle: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return a copy of the bundle to change, and a tree to install it into."""
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    return copy, tmp_path / "tree"


def test_a_wheel_with_another_hash_is_refused(doctored: tuple[Path, Path]) -> None:
    bundle, made = doctored
    wheel = next((bundle / "PyPI").glob("click-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    said = make_release(bundle, made, code=1)
    assert re.fullmatch(r"error: PyPI/ has no wheel of click==\S+ with the hash [\w ]+\n", said)


ESCAPES = ("../../../../../../evil.py", "/tmp/evil.py", "a/../../../../../../../evil.py")


@pytest.mark.parametrize("name", ESCAPES)
def test_no_file_of_a_wheel_leaves_the_tree(
    doctored: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    bundle, made = doctored
    pypi = bundle / "PyPI"
    wheel = next(pypi.glob("h11-*.whl"))
    add = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'a').writestr(sys.argv[2], 'evil')"
    before = publish.sha256(wheel)
    run([sys.executable, "-c", add, wheel, name], cwd=tmp_path)
    listing = pypi / "requirements.txt"
    listing.write_text(listing.read_text().replace(before, publish.sha256(wheel)))
    known = {made} | {path for path in tmp_path.rglob("*") if made not in path.parents}
    said = make_release(bundle, made, code=1)
    assert said.startswith("error: h11==")
    assert len(said.splitlines()) == 1
    assert {path for path in tmp_path.rglob("*") if made not in path.parents} == known
    assert not Path("/tmp/evil.py").exists()


@pytest.mark.parametrize("name", ESCAPES)
def test_no_bytecode_leaves_the_tree(
    doctored: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    bundle, made = doctored
    make = (
        "import io, lzma, sys, zipfile; b = io.BytesIO()\n"
        "with zipfile.ZipFile(b, 'w') as z: z.writestr(sys.argv[2], 'evil')\n"
        "open(sys.argv[1], 'wb').write(lzma.compress(b.getvalue()))"
    )
    run([sys.executable, "-c", make, bundle / "PyPI/bytecode.zip.xz", name], cwd=tmp_path)
    said = make_release(bundle, made, code=1)
    expected = f"error: bytecode.zip.xz has a file that leads out of the tree: {name}\n"
    assert said == expected
    assert not list(tmp_path.rglob("evil.py"))
    assert not Path("/tmp/evil.py").exists()


def test_the_work_of_a_killed_build_goes_with_the_next(folder: Path, published: Path) -> None:
    left = folder / "build/offline-source/base-0123456789ab.99999"
    left.mkdir()
    append(folder / CODE, "# killed\n")
    with subprocess.Popen(
        BUILD, cwd=folder, env=OFFLINE, stdout=subprocess.DEVNULL, start_new_session=True
    ) as building:
        before = contents(published)
        try:
            building.wait(0.9)
        except subprocess.TimeoutExpired:
            building.kill()
    assert contents(published) == before
    build(folder)
    assert not left.exists()
    assert [path.name for path in published.parent.iterdir()] == ["offline-source"]


# The scripts of a bundle. A stand-in for the engine prints its arguments: the engine has its own
# tests.

TELLS = """\
import json, sys

def main(tree, argv=None):
    print(json.dumps([str(tree), sys.argv[1:] if argv is None else argv]))
    sys.exit(7)
"""


@pytest.fixture
def telling(doctored: tuple[Path, Path]) -> Path:
    """Return a copy of the bundle whose engine prints its arguments and exits with 7."""
    bundle, _ = doctored
    host = bundle / "Script/release/host"
    (host / "cli.py").write_text(TELLS)
    shutil.rmtree(host / "__pycache__")
    check_in(bundle)
    return bundle


def check_in(bundle: Path) -> None:
    """Write a bundle's checksums anew, for the files that are in it now."""
    sums = bundle / "Script/SHA256SUMS"
    sums.unlink()
    publish.write_checksums(bundle, sums)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """Return the folder for temporary files that the scripts get."""
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def script(
    bundle: Path, name: str, *arguments: str, code: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(bundle.parent / "home"),
        "TMPDIR": str(bundle.parent / "tmp"),
        **environ,
    }
    command: list[str | Path] = ["sh", bundle / f"Script/{name}.sh", *arguments]
    return run(command, cwd=bundle, env=environment, code=code)


@pytest.mark.parametrize(
    ("name", "command", "operand"),
    [
        ("install", "activate", True),
        ("verify", "verify", True),
        ("rollback", "rollback", False),
        ("uninstall", "uninstall", False),
    ],
)
def test_a_script_hands_over_to_the_bundles_own_engine(
    telling: Path, room: Path, name: str, command: str, operand: bool
) -> None:
    below = ("--prefix", str(telling.parent / "none"))
    said = script(telling, name, *below, code=7)
    asked = [command, *([str(telling)] if operand else []), *below]
    assert json.loads(said.stdout) == [str(telling / "Script/release"), asked]
    assert list(room.iterdir()) == []


def test_a_bundle_that_lost_its_modes_runs_from_a_copy(telling: Path, room: Path) -> None:
    for path in telling.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    (room / "my-service.999999999.left").mkdir()  # as left by a run that was killed
    (room / f"my-service.{os.getpid()}.kept").mkdir()
    said = script(telling, "verify", code=7)
    assert json.loads(said.stdout)[1] == ["verify", str(telling)]
    assert [path.name for path in room.iterdir()] == [f"my-service.{os.getpid()}.kept"]


def test_where_no_program_may_run_one_line_says_so(telling: Path) -> None:
    python = home(telling) / "bin"
    for path in python.glob("python3.*"):
        path.write_bytes(b"for another machine")
    check_in(telling)
    said = script(telling, "install", code=1)
    because = f"does not run here: it was built for {os.uname().machine}, and this is "
    assert said.stderr.startswith(f"error: the Python in {telling} {because}")
    assert len(said.stderr.splitlines()) == 1


def not_whole(bundle: Path) -> str:
    named = "its files that are wrong are named above"
    return f"error: {bundle} is not whole, nothing was done: {named}"


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["install", "run"])
def test_nothing_of_a_damaged_bundle_is_run(telling: Path, name: str) -> None:
    flipped(next(home(telling).glob("lib/python3*/os.py")))
    (telling / "Script/make_release.py").unlink()
    said = script(telling, name, code=1)
    version = home(telling).name.lower()
    assert said.stderr.splitlines() == [
        f"changed: {home(telling).name}/lib/{version}/os.py",
        "missing: Script/make_release.py",
        not_whole(telling),
    ]
    (telling / "Script/SHA256SUMS").write_text("")
    assert "missing: Script/SHA256SUMS\n" in script(telling, name, code=1).stderr


def test_run_names_every_file_that_is_wrong(telling: Path) -> None:
    flipped(telling / "PyPI/requirements.txt")
    (telling / "PyPI/evil-1.0-py3-none-any.whl").write_text("")
    (telling / "ProjectSrc/README.md").unlink()
    (telling / "ProjectSrc/README.md").symlink_to("pyproject.toml")
    (telling / "ProjectSrc/LICENSE").unlink()
    os.mkfifo(telling / "Script/pipe")
    said = script(telling, "run", "version", code=1)
    assert said.stderr.splitlines() == [
        "missing: ProjectSrc/LICENSE",
        "neither a file nor a folder: ProjectSrc/README.md",
        "neither a file nor a folder: Script/pipe",
        "not listed in SHA256SUMS: PyPI/evil-1.0-py3-none-any.whl",
        "changed: PyPI/requirements.txt",
        not_whole(telling),
    ]
    assert not (telling.parent / "home").exists()


def test_run_keeps_a_copy_that_nobody_else_can_write_to(
    bundle: Path, doctored: tuple[Path, Path], room: Path
) -> None:
    copy, _ = doctored
    for _ in range(2):
        assert script(copy, "run", "version").stdout.startswith("my-service 0.1.0+")
    cache = copy.parent / "home/.cache/my-service.bundle"
    assert cache.stat().st_mode & 0o777 == 0o700
    (tree,) = cache.iterdir()
    assert tree.name == publish.sha256(copy / "Script/SHA256SUMS")
    assert list(room.iterdir()) == []
    # Once the copy exists, the bundle's own Python is not needed.
    shutil.rmtree(home(copy))
    code = "import sys, os; print(sys.argv[1:], sorted(os.environ))"
    said = script(copy, "run", "--exec", "python", "-c", code, "a b", "*", KEPT="1").stdout
    assert said.startswith("['a b', '*'] [")
    assert set(said.partition("] [")[2][1:-3].split("', '")) <= {
        "HOME", "KEPT", "LC_CTYPE", "PATH", "PWD", "SSL_CERT_FILE", "TERMINFO_DIRS", "TMPDIR", "_",
    }  # fmt: skip
    # A copy that others can write to is not used.
    cache.chmod(0o777)
    assert "is not whole" in script(copy, "run", "version", code=1).stderr


def test_run_passes_exit_codes_on_and_refuses_what_is_no_program(
    doctored: tuple[Path, Path], room: Path
) -> None:
    copy, _ = doctored
    python = ("--exec", "python", "-c")
    script(copy, "run", *python, "raise SystemExit(7)", code=7)
    script(copy, "run", *python, "raise SystemExit(8)", code=8, HOME="/proc")
    for wrong in ("../python", "nothing"):
        said = script(copy, "run", "--exec", wrong, code=2)
        assert f"'{wrong}'" in said.stderr
    script(copy, "run", "--exec", code=2)
    assert script(copy, "run", "--help").stdout.startswith("usage: sh run.sh")


def test_run_once_leaves_nothing_behind_and_passes_signals_on(
    doctored: tuple[Path, Path], room: Path
) -> None:
    copy, _ = doctored
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/proc", "TMPDIR": str(room)}
    waits = "import signal, sys; print('up', flush=True); signal.pause()"
    command: list[str | Path] = [
        "sh", copy / "Script/run.sh", "--exec", "python", "-c", waits,
    ]  # fmt: skip
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "up\n"
        assert len(list(room.iterdir())) == 1
        running.terminate()
        _, said = running.communicate(timeout=10)
    assert running.returncode == 128 + 15
    assert said.startswith("my-service: the copy for this run is not kept: /proc/.cache/")
    assert list(room.iterdir()) == []


def test_the_engine_of_a_release_runs_on_its_own_python(tree: Path, tmp_path: Path) -> None:
    engine = tree / "bin/my-service-admin"
    compiled = tree / f"host/__pycache__/cli.cpython-{offered_here().replace('.', '')}.pyc"
    assert compiled.read_bytes()[4:8] == b"\1\0\0\0"  # validated by an unchecked hash (PEP 552)
    (tmp_path / "getconf").write_text("#!/bin/sh\ntouch stolen\n")
    (tmp_path / "getconf").chmod(0o755)
    link = tmp_path / "my-service-admin"
    link.symlink_to(engine)
    for program in (engine, link):
        run([program, "--help"], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert not (tmp_path / "stolen").exists(), "a caller's PATH was looked in"
