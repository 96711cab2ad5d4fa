"""Make a release of one commit on this machine, and upgrade to it.

This fetches the source, makes the environment of Pipfile.lock beside the running release, and lets
the engine switch. It may be killed at any time and run again. source.json, in the same folder, says
what to make.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

import environment
import layout
import source
from common import RELEASE, told
from host import commands, lock, place, preflight, release, signature
from host.errors import HostError

_ROOM_KB = 102_400
"""The free space to require at first. If more is needed, making the release fails later, safely."""
_TOOLS = ("git", "tar")
_HIDDEN = re.compile(r"/(home|root|run/user)/")
"""Folders that the service cannot see (ProtectHome)."""
_SYSTEMD = Path("/run/systemd/system")
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_ENGINE = (
    "import pathlib, sys; sys.path.append(sys.argv.pop(1)); from host.cli import main; "
    "sys.exit(main(pathlib.Path(sys.path[-1])))"
)


def main() -> int:
    """Make the release and switch to it; return the engine's exit code."""
    given = _options()
    os.umask(0o022)
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{commands.PATH}".lstrip(":")
    os.environ["LC_ALL"] = "C"
    facts = replace(release.read(RELEASE), machine=os.uname().machine)
    here = place.find(facts.name, RELEASE, given.prefix)
    _require_tools()
    _require_python(given.python, here, facts)
    place.require_owner(here)
    place.require_steady(here)
    if _SYSTEMD.is_dir() and facts.traits.has_service:
        place.require_way_in(here)
    preflight.require_fit(facts, here, _ROOM_KB)
    here.engine.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.held(here.engine / "making.lock", lock.patience()) as held, _work(here) as work:
        tree, made = work / "tree", here.releases / facts.version
        if layout.is_made(made, given.python):
            shutil.copytree(made, tree, copy_function=os.link)
        else:
            _tell_of_origin(here)
            source.fetch(work, here, (held,))
            environment.make(work, given.python, (held,))
            layout.lay_out(work, tree, given.python, (held,))
        return _activate(tree, here, given, held)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make this release here, and upgrade to it.")
    below = "install below this folder (default: the whole machine for root, else ~/.local)"
    older = "install a release that is older than the active one"
    parser.add_argument("--python", required=True, help="the interpreter that it is to run on")
    parser.add_argument("--prefix", default="", help=below)
    parser.add_argument("--settings", default="", help="the settings to use from now on")
    parser.add_argument("--allow-downgrade", action="store_true", help=older)
    return parser.parse_args()


def _require_tools() -> None:
    for tool in _TOOLS:
        if not shutil.which(tool):
            raise HostError(f"this machine has no '{tool}' command: install it")


def _require_python(python: str, here: place.Place, facts: release.Release) -> None:
    """Raise HostError for an interpreter of another version, or one that the service cannot use."""
    wanted = told("source.json")["python"]
    code = "import platform, sys; print(platform.python_version(), sys.base_prefix)"
    asking = [python, "-I", "-S", "-c", code]
    try:
        asked = subprocess.run(asking, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise HostError(f"{python} does not run here: expected Python {wanted}") from None
    found, _, base = asked.stdout.strip().partition(" ")
    if not f"{found}.".startswith(f"{wanted}."):
        raise HostError(f"{python} is Python {found}: expected {wanted}")
    if re.search(r'["$`\\\n]', python):
        raise HostError(f"{python} has a character in its path that a script cannot hold")
    # Check its real path and its base: a venv's interpreter is a link to another one.
    hidden = any(_HIDDEN.match(f"{os.path.realpath(path)}/") for path in (base, python))
    hidden = hidden and facts.traits.has_service
    if hidden and os.geteuid() == 0 and not here.prefix and _SYSTEMD.is_dir():
        raise HostError(
            f"the service cannot see {python}: give an interpreter outside of /home and /root"
        )


def _tell_of_origin(here: place.Place) -> None:
    if not signature.trust(here, "", required=False).file:
        print(
            f"{here.name}: its origin was not checked, because no key is known here (put the "
            f"maker's public key at {here.etc / signature.KEY_FILE})",
            flush=True,
        )


@contextmanager
def _work(here: place.Place) -> Iterator[Path]:
    """Yield an empty folder on the file system of the releases; remove a killed run's first."""
    work = here.engine / "making"
    for number in _SIGNALS:
        signal.signal(number, lambda _, __: sys.exit(1))
    try:
        if work.exists():
            shutil.rmtree(work)
        work.mkdir()
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _activate(tree: Path, here: place.Place, given: argparse.Namespace, held: int) -> int:
    """Let the installed engine switch, or the kit's own if none is installed."""
    for number in _SIGNALS:
        signal.signal(number, lambda _, __: None)  # the engine decides how to end
    command = [*_engine(here, given.python), "activate", str(tree), "--built-here"]
    command += ["--prefix", str(here.prefix)] if here.prefix else []
    command += ["--settings", given.settings] if given.settings else []
    command += ["--allow-downgrade"] if given.allow_downgrade else []
    return abs(subprocess.run(command, pass_fds=(held,), check=False).returncode)


def _engine(here: place.Place, python: str) -> list[str]:
    installed = str(here.current / "bin" / f"{here.name}-admin")
    try:
        if subprocess.run([installed, "--help"], capture_output=True, check=False).returncode == 0:
            return [installed]
    except OSError:
        pass
    return [python, "-I", "-S", "-B", "-c", _ENGINE, str(RELEASE)]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HostError as refused:
        print(f"error: {refused}", file=sys.stderr)
        sys.exit(refused.exit_code)
    except OSError as error:
        print(f"error: could not make the release: {error}", file=sys.stderr)
        sys.exit(1)
