"""The few lines of shell with which an installer finds the installed engine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import PROJECT, missing

HAND_OVER = PROJECT / "deploy" / "host" / "hand-over.sh"
LAUNCHER = PROJECT / "deploy" / "host" / "launcher.sh"
SCRIPT = f'. "{HAND_OVER}"; _start_installed my-tool "$@"; echo own engine'
ENGINE = '#!/bin/sh\n[ "$1" = --help ] || echo "installed engine: $*"\n'


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Return a prefix with an engine in an active release."""
    prefix = tmp_path / "a prefix"
    base = prefix / "opt/my-tool"
    engine = base / "releases/1/bin/my-tool-admin"
    engine.parent.mkdir(parents=True)
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    (base / "current").symlink_to("releases/1")
    return prefix


def engine(prefix: Path) -> Path:
    return prefix / "opt/my-tool/releases/1/bin/my-tool-admin"


@pytest.fixture(params=["sh", "busybox", "bash"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    name = str(request.param)
    found = shutil.which(name) or missing(name)
    return [found, "sh"] if name == "busybox" else [found]


def hand_over(shell: list[str], *arguments: str | Path, **environ: str) -> str:
    command = [*shell, "-c", SCRIPT, "sh", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.rstrip("\n")


def test_the_installed_engine_gets_all_arguments(shell: list[str], prefix: Path) -> None:
    for option in (("--prefix", str(prefix)), (f"--prefix={prefix}",)):
        given = ("activate", "/a bundle", *option, "--key", "k")
        assert hand_over(shell, *given) == f"installed engine: {' '.join(given)}"


def test_the_last_prefix_counts(shell: list[str], prefix: Path) -> None:
    said = hand_over(shell, "verify", "--prefix", "/nowhere", "--prefix", prefix)
    assert said.startswith("installed engine: verify")
    assert hand_over(shell, "verify", "--prefix", prefix, "--prefix", "/nowhere") == "own engine"


def test_nothing_is_installed(shell: list[str], tmp_path: Path) -> None:
    assert hand_over(shell, "activate", "--prefix", tmp_path) == "own engine"
    assert hand_over(shell, "activate", "--prefix") == "own engine"


def test_an_engine_that_does_not_run_here(shell: list[str], prefix: Path) -> None:
    engine(prefix).write_text("#!/bin/sh\nexit 1\n")
    assert hand_over(shell, "activate", "--prefix", prefix) == "own engine"
    engine(prefix).chmod(0o644)
    assert hand_over(shell, "activate", "--prefix", prefix) == "own engine"


@pytest.mark.parametrize("what", ["opt/my-tool/releases/1/bin/my-tool-admin", "opt/my-tool", "."])
@pytest.mark.parametrize("bits", [0o020, 0o002])
def test_an_engine_that_others_can_change_is_not_run(
    shell: list[str], prefix: Path, what: str, bits: int
) -> None:
    path = prefix / what
    path.chmod(path.stat().st_mode | bits)
    assert hand_over(shell, "activate", "--prefix", prefix) == "own engine"
    if path.is_dir():  # sticky, as /tmp: only its owner can rename a file in it
        path.chmod(path.stat().st_mode | 0o1000)
        assert hand_over(shell, "activate", "--prefix", prefix).startswith("installed")


@pytest.mark.parametrize("what", ["opt/my-tool/releases/1/bin/my-tool-admin", "opt"])
def test_an_engine_of_somebody_else_is_not_run(shell: list[str], prefix: Path, what: str) -> None:
    if os.geteuid() != 0:
        missing("root, to give a file away")
    os.chown(prefix / what, 65534, 65534)
    assert hand_over(shell, "activate", "--prefix", prefix) == "own engine"


def test_a_link_is_followed_once(shell: list[str], prefix: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(prefix)
    assert hand_over(shell, "activate", "--prefix", link).startswith("installed")


def test_shellcheck() -> None:
    checker = shutil.which("shellcheck") or missing("shellcheck")
    for script in (HAND_OVER, LAUNCHER):
        done = subprocess.run([checker, script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
