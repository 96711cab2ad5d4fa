"""Makes a release of one commit on this machine, and upgrades to it.

It fetches the source, makes the environment that Pipfile.lock says beside the running release, and
lets the engine switch. Kill it at any instant and run it again. What it makes is told by
source.json, beside it.
"""

import argparse
import fcntl
import getpass
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

import environment
import layout
import source
from common import KIT, Place, RefusedError, told

_ROOM = 100 * 1024 * 1024
"""What a release and its making may need, in bytes; too little shows later, and changes nothing."""
_TOOLS = ("git", "tar")
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_HIDDEN = re.compile(r"/(home|root|run/user)/")
"""What the service cannot see (ProtectHome)."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEMD = Path("/run/systemd/system")
_LONGEST_WAIT = 600
_ENGINE = (
    "import pathlib, sys; sys.path.append(sys.argv.pop(1)); from host.cli import main; "
    "sys.exit(main(pathlib.Path(sys.path[-1])))"
)


def main() -> int:
    """Make the release and switch to it; return the engine's exit code."""
    given = _options()
    os.umask(0o022)
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{_PATH}".lstrip(":")
    os.environ["LC_ALL"] = "C"
    release = told("release/host/release.json")
    place = Place(release["name"], _prefix(given.prefix))
    _require_tools()
    _require_python(given.python, place)
    _require_room(place)
    place.engine.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(place) as lock, _work(place) as work:
        tree = work / "tree"
        made = place.base / "releases" / release["version"]
        if layout.is_made(made, given.python):
            shutil.copytree(made, tree, copy_function=os.link)
        else:
            if not place.key.exists():
                _say_unknown(place)
            source.fetch(work, place, (lock,))
            environment.make(work, given.python, (lock,))
            layout.lay_out(work, tree, given.python, (lock,))
        return _activate(tree, place, given, lock)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make this release here, and upgrade to it.")
    below = "install below this folder (default: the whole machine for root, else ~/.local)"
    older = "install a release that is older than the active one"
    parser.add_argument("--python", required=True, help="the interpreter that it is to run on")
    parser.add_argument("--prefix", default="", help=below)
    parser.add_argument("--settings", default="", help="the settings to use from now on")
    parser.add_argument("--allow-downgrade", action="store_true", help=older)
    return parser.parse_args()


# --- what is refused ------------------------------------------------------------------------------


def _prefix(given: str) -> str:
    if given:
        return os.path.realpath(given).rstrip("/")
    if os.geteuid() == 0:
        return ""
    if not os.environ.get("HOME"):
        raise RefusedError("HOME is not set: a user's installation needs it")
    return os.path.realpath(f"{os.environ['HOME']}/.local")


def _require_tools() -> None:
    for tool in _TOOLS:
        if not shutil.which(tool):
            raise RefusedError(f"this machine has no '{tool}' command: install it")


def _require_python(python: str, place: Place) -> None:
    """Refuse an interpreter of another version, or one that the service cannot use."""
    wanted = told("source.json")["python"]
    code = "import platform, sys; print(platform.python_version(), sys.base_prefix)"
    asking = [python, "-I", "-S", "-c", code]
    try:
        asked = subprocess.run(asking, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise RefusedError(f"{python} does not run here: expected Python {wanted}") from None
    found, _, base = asked.stdout.strip().partition(" ")
    if not f"{found}.".startswith(f"{wanted}."):
        raise RefusedError(f"{python} is Python {found}: expected {wanted}")
    if re.search(r'["$`\\\n]', python):
        raise RefusedError(f"{python} has a character in its path that a script cannot hold")
    # By its real place and by what it is made of: a venv's is a link to another.
    hidden = any(_HIDDEN.match(f"{os.path.realpath(path)}/") for path in (base, python))
    if hidden and os.geteuid() == 0 and not place.prefix and _SYSTEMD.is_dir():
        raise RefusedError(
            f"the service cannot see {python}: give an interpreter outside of /home and /root"
        )


def _require_room(place: Place) -> None:
    """Refuse a place that we may not write to, that others may change, or that is too small."""
    there = next(path for path in (place.base, *place.base.parents) if path.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        raise RefusedError(
            f"installing in {place.base} needs root: run it with sudo, or give --prefix"
        )
    for folder in (there, *there.parents):
        status = folder.stat()
        others = status.st_mode & _OTHERS and not status.st_mode & stat.S_ISVTX
        if others or status.st_uid not in (0, os.geteuid()):
            raise RefusedError(f"{folder} can be changed by others: nothing is installed below it")
    free = shutil.disk_usage(there).free
    if free < _ROOM:
        raise RefusedError(
            f"{there} has {free // 1024} kB free: {place.base} needs {_ROOM // 1024} kB"
        )


def _say_unknown(place: Place) -> None:
    print(
        f"{place.name}: its origin was not checked, for no key is known here (put the maker's "
        f"public key at {place.key})",
        flush=True,
    )


# --- one at a time --------------------------------------------------------------------------------


@contextmanager
def _alone(place: Place) -> Iterator[int]:
    """Hold the lock, or raise `RefusedError` that says who holds it; give its descriptor."""
    with (place.engine / "making.lock").open("a+", encoding="utf-8") as file:
        end = time.monotonic() + _patience()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    file.seek(0)
                    raise RefusedError(
                        f"another run is at work, {file.read().strip()}: wait for it or end it, "
                        "then try again"
                    ) from None
            time.sleep(0.1)
        file.truncate(0)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        by = os.environ.get("DEPLOY_BY") or os.environ.get("SUDO_USER") or getpass.getuser()
        by = re.sub(r"[^ -~]", "", by)[:60]
        file.write(f"process {os.getpid()} of {by} since {since}")
        file.flush()
        yield file.fileno()


def _patience() -> int:
    value = os.environ.get("DEPLOY_LOCK_SECONDS", "60")
    if not value.isdecimal() or int(value) > _LONGEST_WAIT:
        raise RefusedError(
            f"DEPLOY_LOCK_SECONDS is '{value}': expected a whole number from 0 to {_LONGEST_WAIT}"
        )
    return int(value)


@contextmanager
def _work(place: Place) -> Iterator[Path]:
    """Give an empty folder on the file system of the releases; a killed run's goes first."""
    work = place.engine / "making"
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _, __: sys.exit(1))
    try:
        if work.exists():
            shutil.rmtree(work)
        work.mkdir()
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


# --- the switch -----------------------------------------------------------------------------------


def _activate(tree: Path, place: Place, given: argparse.Namespace, lock: int) -> int:
    """Let the engine that is installed switch, or the kit's own where none is."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _, __: None)  # it is the engine's to end well
    command = [*_engine(place, given.python), "activate", str(tree), "--built-here"]
    command += ["--prefix", place.prefix] if place.prefix else []
    command += ["--settings", given.settings] if given.settings else []
    command += ["--allow-downgrade"] if given.allow_downgrade else []
    return abs(subprocess.run(command, pass_fds=(lock,), check=False).returncode)


def _engine(place: Place, python: str) -> list[str]:
    installed = str(place.base / "current/bin" / f"{place.name}-admin")
    try:
        asked = subprocess.run([installed, "--help"], capture_output=True, check=False)
        if asked.returncode == 0:
            return [installed]
    except OSError:
        pass
    return [python, "-I", "-S", "-B", "-c", _ENGINE, str(KIT / "release")]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RefusedError as why:
        print(f"error: {why}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"error: could not make the release: {error}", file=sys.stderr)
        sys.exit(1)
