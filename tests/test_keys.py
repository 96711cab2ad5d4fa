"""`invoke deploy.keygen`: whole pairs of keys, outside the project, never over others."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tasks.deploy import settings
from tasks.deploy.build import keys, signing
from tasks.lib import project
from tasks.lib.console import TaskError

from tests.support import missing, run

KEYGEN = [sys.executable, "-m", "invoke", "deploy.keygen"]
ALL = {f"signing-key{suffix}" for suffix in ("", ".pub", ".asc", ".pub.asc")}
WITHOUT_PACKAGES = {"signing-key", "signing-key.pub"}


@pytest.fixture(autouse=True)
def _tools() -> None:
    for tool in ("ssh-keygen", "gpg"):
        if not shutil.which(tool):
            missing(tool)


@pytest.fixture
def without_gpg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave ssh-keygen alone on PATH: it is quick, and packages go unsigned."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "ssh-keygen").symlink_to(shutil.which("ssh-keygen") or "")
    monkeypatch.setenv("PATH", str(folder))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"tools"}


def test_what_it_says_can_be_done(
    baked: Path, tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(short))
    said = run(KEYGEN, cwd=baked).stdout
    folder = tmp_path / ".config" / "my-service" / "signing"
    assert names(folder) == ALL
    assert [mode(folder / f"signing-key{suffix}") for suffix in ("", ".asc")] == [0o600, 0o600]
    assert mode(folder) == 0o700
    private = folder / "signing-key"
    assert private.with_suffix(".pub").read_text().endswith(" my-service\n")
    # Both lines for invoke.yaml, as they stand there.
    rows = dict(line.strip().split("  ", 1) for line in said.splitlines() if "  " in line.strip())
    wanted = dict(rows[row].strip().split(": ") for row in ("in invoke.yaml", "and"))
    read = settings.read({name: value.strip('"') for name, value in wanted.items()})
    assert read == settings.Settings(signing_key=str(private), package_signing_key=f"{private}.asc")
    signing.require(read)
    assert rows["fingerprint"].strip() == signing.fingerprint(signing.public(read))
    assert "signing-key.pub as /etc/my-service/signing-key.pub" in said
    # The two OpenPGP files are a pair, and its fingerprint is the one that was printed.
    show = ["gpg", "--batch", "--no-autostart", "--with-colons", "--show-keys", "--fingerprint"]
    gpg = {**os.environ, "GNUPGHOME": str(short)}
    for suffix, kind in ((".asc", "sec"), (".pub.asc", "pub")):
        text = run([*show, f"{private}{suffix}"], cwd=tmp_path, env=gpg).stdout
        assert text.startswith(f"{kind}:")
        assert f":{rows['its fingerprint'].strip()}:" in text
        assert ":my-service packages:" in text
    assert not list(short.glob("gpg-*"))


def test_a_long_path_for_temporary_files(
    this: project.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    keys.make(tmp_path / "keys", this)
    assert names(tmp_path / "keys") == ALL


def test_a_key_is_never_overwritten(
    this: project.Project, tmp_path: Path, without_gpg: None
) -> None:
    made = keys.make(tmp_path / "keys", this)
    before = made.private.read_bytes()
    with pytest.raises(TaskError, match=r"keys is there already, and a key is never overwritten"):
        keys.make(tmp_path / "keys", this)
    assert made.private.read_bytes() == before
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(TaskError, match="link is there already"):
        keys.make(tmp_path / "link", this)
    assert names(tmp_path) == {"keys", "link"}


@pytest.fixture
def this(baked: Path) -> project.Project:
    return project.load(baked)


def test_not_inside_the_project(this: project.Project, tmp_path: Path, baked: Path) -> None:
    (tmp_path / "link").symlink_to(baked)
    for path in (baked / "keys" / "mine", tmp_path / "link" / "key", baked):
        with pytest.raises(TaskError, match="inside the project, from where it gets into Git"):
            keys.make(path, this)
    said = run([*KEYGEN, "--path", "key"], cwd=baked, code=1).stderr
    assert said.startswith(f"error: --path is '{baked}/key': inside the project, ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "/ is there already, "),
        ("/proc/no/key", "cannot make keys at /proc/no/key: "),
        ("~nobodyx/key", "cannot make keys at ~nobodyx/key: "),
    ],
)
def test_a_path_that_cannot_be_is_one_line(this: project.Project, path: str, said: str) -> None:
    with pytest.raises(TaskError) as raised:
        keys.make(Path(path), this)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_without_gpg_packages_get_no_key(
    this: project.Project,
    tmp_path: Path,
    without_gpg: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = keys.make(tmp_path / "keys", this)
    keys.report(made, this)
    assert names(made.folder) == WITHOUT_PACKAGES
    assert "for packages    none: install gpg, then " in capsys.readouterr().out


def test_without_ssh_keygen_nothing_is_made(
    this: project.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TaskError, match="cannot run ssh-keygen: No such file or directory"):
        keys.make(tmp_path / "key", this)
    assert names(tmp_path) == set()


def test_where_gpg_fails_nothing_is_made(
    this: project.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_gpg: None
) -> None:
    gpg = tmp_path / "tools" / "gpg"
    gpg.write_text("#!/bin/sh\nexit 2\n")
    gpg.chmod(0o755)
    shutil.copy(gpg, gpg.with_name("gpgconf"))
    with pytest.raises(TaskError, match="gpg failed with exit code 2"):
        keys.make(tmp_path / "key", this)
    assert names(tmp_path) == set()


def test_an_interruption_leaves_nothing(
    this: project.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_key: Path) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(signing, "fingerprint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        keys.make(tmp_path / "keys", this)
    assert names(tmp_path) == set()


def test_a_kill_at_any_moment_leaves_nothing_half(
    this: project.Project, tmp_path: Path, short: Path
) -> None:
    path = tmp_path / "keys"
    command = [*KEYGEN, "--path", str(path)]
    temporary = short / "tools"  # holds a killed run's gpg home, with which its agent ends
    env = {**os.environ, "TMPDIR": str(temporary)}
    temporary.mkdir()
    start = time.monotonic()
    run(command, cwd=this.root, env=env)
    whole = time.monotonic() - start
    for part in range(1, 9):
        shutil.rmtree(path, ignore_errors=True)
        with subprocess.Popen(
            command, cwd=this.root, env=env, stdout=subprocess.DEVNULL, start_new_session=True
        ) as making:
            try:
                making.wait(whole * part / 9)
            except subprocess.TimeoutExpired:
                os.killpg(making.pid, signal.SIGKILL)
        if not path.exists():
            run(command, cwd=this.root, env=env)
        assert names(path) == ALL
        assert names(tmp_path) <= {"keys", ".keys.new"}
        shutil.rmtree(temporary, ignore_errors=True)  # that agent may be removing its sockets
        temporary.mkdir(exist_ok=True)


def test_what_a_killed_run_left_is_made_anew(
    this: project.Project, tmp_path: Path, without_gpg: None
) -> None:
    (tmp_path / ".keys.new").mkdir()
    (tmp_path / ".keys.new/signing-key").write_text("half")
    made = keys.make(tmp_path / "keys", this)
    assert names(made.folder) == WITHOUT_PACKAGES
    assert names(tmp_path) == {"keys"}
