"""tasks.deploy.build.signing and the settings that name keys."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tasks.deploy import settings
from tasks.deploy.build import publish, signing
from tasks.deploy.settings import Settings
from tasks.lib.console import TaskError

from tests.support import PROJECT, missing, run, shown

INVOKE = [sys.executable, "-m", "invoke"]
SIGN = (
    "import sys; from pathlib import Path; from tasks.lib.console import TaskError\n"
    "from tasks.deploy.build import signing; from tasks.deploy.settings import Settings\n"
    "try:\n"
    "    signing.sign(Path(sys.argv[1]), Settings(signing_key=sys.argv[2]))\n"
    "except TaskError as error:\n"
    "    sys.exit(f'error: {error}')\n"
)
# A terminal that a session leader without one opens becomes the session's terminal.
ON_TERMINAL = (
    "import os, sys; terminal = os.open(sys.argv[1], os.O_RDWR)\n"
    "for number in range(3): os.dup2(terminal, number)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
WITHOUT_INPUT = ["/bin/sh", "-c", 'exec "$@" </dev/null', "sh"]


def make_key(path: Path, passphrase: str = "") -> Settings:
    tool = shutil.which("ssh-keygen") or missing("ssh-keygen")
    run([tool, "-q", "-t", "ed25519", "-N", passphrase, "-C", "a key", "-f", path], cwd=path.parent)
    return Settings(signing_key=str(path))


@pytest.fixture
def key(tmp_path: Path) -> Settings:
    return make_key(tmp_path / "key")


@pytest.fixture
def locked(tmp_path: Path) -> Settings:
    return make_key(tmp_path / "locked", "open sesame")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a published folder without a signature."""
    target = tmp_path / "dist" / "offline-binary"
    target.mkdir(parents=True)
    (target / "program.tar.gz").write_bytes(b"program")
    (target / publish.SBOM).write_text("{}")
    publish.write_manifest(target, {"release": "1+x", "python": "3.13.0"})
    publish.write_checksums(target)
    return target


def test_a_signature_is_one_that_ssh_keygen_knows(folder: Path, key: Settings) -> None:
    """Check it with the commands of the operator's page."""
    signing.sign(folder, key)
    assert signing.verify(folder, key, "my-service") == []
    shutil.copy(signing.public(key), folder / "signing-key.pub")
    block = shown(PROJECT / "docs/signatures.md", "ssh-keygen -Y verify")
    by_hand = ["sh", "-c", f"name=my-service\n{block}"]
    said = run(by_hand, cwd=folder).stdout
    fingerprint = signing.fingerprint(signing.public(key))
    good = f'Good "file" signature for my-service with ED25519 key {fingerprint}'
    assert said.splitlines() == [
        good,
        "manifest.json: OK",
        "program.tar.gz: OK",
        "sbom.cdx.json: OK",
    ]
    (folder / publish.CHECKSUMS).write_bytes((folder / publish.CHECKSUMS).read_bytes() + b"#")
    run(by_hand, cwd=folder, code=255)


def test_the_same_checksums_get_the_same_signature(folder: Path, key: Settings) -> None:
    signing.sign(folder, key)
    once = (folder / publish.SIGNATURE).read_bytes()
    signing.sign(folder, key)
    assert (folder / publish.SIGNATURE).read_bytes() == once


def test_an_old_signature_does_not_stay(folder: Path, key: Settings) -> None:
    signing.sign(folder, key)
    (folder / "more").touch()
    publish.write_checksums(folder)
    signing.sign(folder, key)
    assert signing.verify(folder, key, "my-service") == []


def test_a_signature_is_neither_listed_nor_too_much(folder: Path, key: Settings) -> None:
    signing.sign(folder, key)
    assert publish.verify(folder) == []
    publish.write_checksums(folder)
    assert publish.SIGNATURE not in (folder / publish.CHECKSUMS).read_text()


def test_without_a_key_nothing_is_signed(folder: Path) -> None:
    signing.sign(folder, Settings())
    assert not (folder / publish.SIGNATURE).exists()
    assert signing.verify(folder, Settings(), "my-service") == []


def sign_anew(folder: Path, key: Settings, namespace: str = "file") -> None:
    (folder / publish.SIGNATURE).unlink()
    command = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key.signing_key]
    run([*command, publish.CHECKSUMS], cwd=folder)


def another(folder: Path, _key: Settings) -> None:
    sign_anew(folder, make_key(folder.parent / "another"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f, _: (f / publish.SIGNATURE).unlink(), "missing, and invoke.yaml names a key"),
        (lambda f, _: (f / publish.SIGNATURE).write_bytes(b""), "incomplete message"),
        (lambda f, _: (f / publish.CHECKSUMS).write_bytes(b""), "incorrect signature"),
        (another, "Could not verify signature"),
        (lambda f, k: sign_anew(f, k, "mail"), "namespace"),
        (lambda _, k: signing.public(k).unlink(), "cannot read "),
        (lambda _, k: signing.public(k).write_bytes(b"# nothing\n"), "Could not verify signature"),
    ],
)
def test_every_wrong_signature_is_named(
    folder: Path, key: Settings, damage: Callable[[Path, Settings], object], said: str
) -> None:
    signing.sign(folder, key)
    damage(folder, key)
    [problem] = signing.verify(folder, key, "my-service")
    assert problem.startswith("SHA256SUMS.sig: ")
    assert "missing" in problem or f"does not pass with {key.signing_key}.pub: " in problem
    assert said in problem
    assert "\n" not in problem


def test_where_there_is_no_ssh_keygen(
    folder: Path, key: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.sign(folder, key)
    monkeypatch.setenv("PATH", "/nowhere")
    why = "cannot run ssh-keygen: No such file or directory"
    [problem] = signing.verify(folder, key, "my-service")
    assert problem.endswith(f"key.pub: {why}")
    with pytest.raises(TaskError, match=f"cannot sign with {key.signing_key}: {why}"):
        signing.sign(folder, key)


def test_the_public_half_of_another_key_is_refused(folder: Path, key: Settings) -> None:
    other = make_key(folder.parent / "other")
    shutil.copy(signing.public(other), signing.public(key))
    with pytest.raises(TaskError, match=r"^cannot sign with .*key doesn't match private"):
        signing.sign(folder, key)


# --- a key with a passphrase ---------------------------------------------------------------------


@contextmanager
def terminal(*command: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a command whose session has a terminal; yield the other end of that, and the process."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-c", ON_TERMINAL, os.ttyname(theirs), *command]
    env = {k: v for k, v in os.environ.items() if not k.startswith("SSH_")}
    with subprocess.Popen(argv, start_new_session=True, cwd=PROJECT, env=env) as process:
        try:
            yield ours, process
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)


def test_without_a_terminal_nothing_asks(
    folder: Path, locked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_ASKPASS", raising=False)
    with pytest.raises(TaskError, match="incorrect passphrase supplied") as raised:
        signing.sign(folder, locked)
    assert "\n" not in str(raised.value)
    assert not (folder / publish.SIGNATURE).exists()


@pytest.mark.parametrize(("askpass", "required"), [(None, "never"), ("/bin/answer", "as it was")])
def test_no_window_opens_where_nobody_asked_for_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, askpass: str | None, required: str
) -> None:
    """On a desktop, ssh-keygen would open a window and wait for the answer."""
    tool = folder / "ssh-keygen"
    tool.write_text("#!/bin/sh\necho $SSH_ASKPASS_REQUIRE; exit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "as it was")
    monkeypatch.delenv("SSH_ASKPASS", raising=False)
    if askpass:
        monkeypatch.setenv("SSH_ASKPASS", askpass)
    with pytest.raises(TaskError, match=f": {required}$"):
        signing.sign(folder, Settings(signing_key="/a/key"))


def test_without_input_nothing_asks_on_the_terminal_behind(folder: Path, locked: Settings) -> None:
    """In `nohup invoke … </dev/null`, ssh-keygen by itself would wait for an answer."""
    script = [sys.executable, "-B", "-c", SIGN, str(folder), locked.signing_key]
    with terminal(*WITHOUT_INPUT, *script) as (_, process):
        assert process.wait(20) == 1
    assert not (folder / publish.SIGNATURE).exists()


def test_on_a_terminal_the_passphrase_is_asked_for(folder: Path, locked: Settings) -> None:
    with terminal(sys.executable, "-B", "-c", SIGN, str(folder), locked.signing_key) as (
        ours,
        process,
    ):
        said = b""
        while b"passphrase" not in said:
            said += os.read(ours, 1024)
        os.write(ours, b"open sesame\n")
        assert process.wait(20) == 0
    assert signing.verify(folder, locked, "my-service") == []


def test_a_program_may_answer(
    folder: Path, locked: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering = tmp_path / "answer"
    answering.write_text("#!/bin/sh\necho open sesame\n")
    answering.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(answering))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    signing.sign(folder, locked)
    assert signing.verify(folder, locked, "my-service") == []


def test_an_agent_may_hold_the_key(
    folder: Path, locked: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering = tmp_path / "answer"
    answering.write_text("#!/bin/sh\necho open sesame\n")
    answering.chmod(0o755)
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", "agent"], cwd=tmp_path, stdout=subprocess.PIPE
    ) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()  # it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        asking = {"SSH_ASKPASS": str(answering), "SSH_ASKPASS_REQUIRE": "force"}
        run(["ssh-add", locked.signing_key], cwd=tmp_path, env={**os.environ, **asking})
        signing.sign(folder, locked)
        agent.terminate()
    assert signing.verify(folder, locked, "my-service") == []


# --- what invoke.yaml says ----------------------------------------------------------------------


def test_settings_name_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/she")
    given = {"signing_key": "~/a key", "package_signing_key": "/b.asc", "end_of_life": "refuse"}
    read = settings.read(given)
    assert (read.signing_key, read.package_signing_key) == ("/home/she/a key", "/b.asc")
    assert read.end_of_life == "refuse"
    assert settings.read({"signing_key": None}) == Settings()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"signing_key": "keys/mine"}, "signing_key is 'keys/mine': expected a path from / or ~"),
        ({"signing_key": "~nobodyx/k"}, "signing_key is '~nobodyx/k': expected a path from / or ~"),
        ({"package_signing_key": 5}, "package_signing_key is '5': expected a path from / or ~"),
        ({"end_of_life": "stop"}, "end_of_life is 'stop': expected warn or refuse"),
        ({"end_of_life": ""}, "end_of_life is '': expected warn or refuse"),
    ],
)
def test_a_wrong_setting_is_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as raised:
        settings.read(given)
    assert str(raised.value) == f"deploy.{said}"


def test_a_key_that_cannot_be_used_is_one_line(key: Settings, tmp_path: Path) -> None:
    signing.require(Settings())
    signing.require(key)
    path = Path(key.signing_key)
    path.chmod(0o640)
    with pytest.raises(TaskError, match=r"key': others may read it \(chmod 600 it\)$"):
        signing.require(key)
    path.chmod(0o600)
    signing.public(key).unlink()
    with pytest.raises(TaskError, match=r"its public half is not beside it as key\.pub"):
        signing.require(key)
    nowhere = str(tmp_path / "nowhere")
    for wrong in (Settings(signing_key=nowhere), Settings(package_signing_key=nowhere)):
        with pytest.raises(TaskError, match=r"signing_key is '.*nowhere': there is no such file"):
            signing.require(wrong)


# --- invoke deploy.verify ------------------------------------------------------------------------


def test_verify_says_what_it_knows_of_the_origin(
    baked: Path, folder: Path, key: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = [*INVOKE, "deploy.verify", str(folder)]
    assert "signature  none; origin not checked: invoke" in run(check, cwd=baked).stdout
    signing.sign(folder, key)
    assert "signature  there, and origin not checked: invoke" in run(check, cwd=baked).stdout
    monkeypatch.setenv("INVOKE_DEPLOY_SIGNING_KEY", key.signing_key)
    Path(key.signing_key).unlink()  # to check, the public half is enough
    good = f"signature  by {signing.fingerprint(signing.public(key))}, the key in invoke.yaml"
    assert good in run(check, cwd=baked).stdout
    assert good in run([*check[:-1], str(folder / "program.tar.gz")], cwd=baked).stdout
    (folder / publish.SIGNATURE).unlink()
    said = run(check, cwd=baked, code=1).stderr
    assert said.endswith("\n  SHA256SUMS.sig: missing, and invoke.yaml names a key\n")
