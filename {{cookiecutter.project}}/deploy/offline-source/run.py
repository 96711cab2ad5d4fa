"""Run the program of a bundle without installing it: run.py COPY [ARGUMENT]...

The medium may be read-only or mounted noexec, because only a copy is executed. The first start
makes that copy, and renames it when it is complete to a folder named after the bundle's checksums.
COPY is the folder that start.sh copied the running Python to, or empty.
"""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

SCRIPT = Path(__file__).resolve().parent
sys.path += [str(SCRIPT), str(SCRIPT / "release")]

import temporary  # noqa: E402 (found by the line before)
from host.errors import reason  # noqa: E402
from host.tree import faults  # noqa: E402

BUNDLE = SCRIPT.parent
SUMS = SCRIPT / "SHA256SUMS"
USAGE = """\
usage: sh run.sh [--] [ARGUMENT]...              run {name} without installing it
       sh run.sh --exec PROGRAM [ARGUMENT]...    run another command that came with it, or python
The first start makes a copy in {cache},
or, where that cannot be, in TMPDIR for this one run. Exit code: the program's own; before it runs,
1 for a bundle that is not whole or nowhere to copy it to, 2 for wrong usage.
"""
_PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
              signal.SIGUSR2)  # fmt: skip
_OF_THE_LAUNCHER = ("PYTHONTZPATH", "SSL_CERT_FILE", "TERMINFO_DIRS")


class NotKeptError(Exception):
    """No copy can be kept; the message says why."""


def main(copy: str, arguments: list[str]) -> NoReturn:
    """Run the requested program, from the kept copy or from one for this run."""
    temporary.end_cleanly()
    facts = json.loads((SCRIPT / "release/host/release.json").read_text(encoding="utf-8"))
    name = str(facts["name"])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or f"{os.environ.get('HOME', '')}/.cache")
    cache /= f"{name}.bundle"
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE.format(name=name, cache=cache), end="")
        raise SystemExit(0)
    program, arguments = _asked(name, arguments)
    tree = cache / hashlib.sha256(SUMS.read_bytes()).hexdigest()
    once = None
    if not (is_private(cache) and tree.is_dir()):
        _require_whole()
        try:
            keep(cache, tree)
        except NotKeptError as why:
            print(f"{name}: the copy for this run is not kept: {why}", file=sys.stderr, flush=True)
            once = _copy_for_once(name)
            tree = once / "tree"
    try:
        file = _find(tree, program)
        if copy:
            temporary.remove(Path(copy))
        if not once:
            _become(file, arguments)
        code = _run(file, arguments)
    finally:
        if once:
            temporary.remove(once)
    raise SystemExit(code)


def _asked(name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """Return the requested program and its arguments."""
    if arguments[:1] == ["--"]:
        return name, arguments[1:]
    if arguments[:1] != ["--exec"]:
        return name, arguments
    if not arguments[1:]:
        _die("--exec needs a program (see run.sh --help)", 2)
    program = "python3" if arguments[1] == "python" else arguments[1]
    if "/" in program or program.startswith("."):
        _die(f"'{program}' is not the name of a program", 2)
    return program, arguments[2:]


def _find(tree: Path, program: str) -> Path:
    there = {path.name: path for name in ("python/bin", "bin") for path in (tree / name).iterdir()}
    if program not in there:
        names = sorted(name for name in there if not name.startswith("python"))
        _die(f"there is no program '{program}'; there are: {' '.join(names)} python", 2)
    return there[program]


def _die(why: str, code: int = 1) -> NoReturn:
    print(f"error: {why}", file=sys.stderr)
    raise SystemExit(code)


# --- what is copied -------------------------------------------------------------------------------


def _require_whole() -> None:
    if wrong := faults(BUNDLE, SUMS):
        print(*wrong, sep="\n", file=sys.stderr)
        _die(f"{BUNDLE} is not whole, nothing was done: its files that are wrong are named above")


def _copy_to(tree: Path) -> str:
    """Make the release; return why it could not be made, or an empty string."""
    python: list[str | Path] = ["sh", Path(sys.prefix, "bin/python3"), "-I", "-S", "-B"]
    done = subprocess.run(
        [*python, SCRIPT / "make_release.py", BUNDLE, tree],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return reason(done.stderr) or "no reason given"
    return "".join(faults(tree)[:1])


def _may_execute(folder: Path) -> bool:
    attempt = folder / "try"
    try:
        attempt.write_text("#!/bin/sh\n", encoding="utf-8")
        attempt.chmod(0o700)
        return subprocess.run([attempt], check=False).returncode == 0
    except OSError:
        return False
    finally:
        with suppress(OSError):
            attempt.unlink()


# --- the copy that is kept ------------------------------------------------------------------------


def is_private(folder: Path) -> bool:
    """Return whether a folder is this user's, and nobody else can write to it or replace it."""
    try:
        this, above = folder.lstat(), folder.parent.stat()
    except OSError:
        return False
    ours = stat.S_ISDIR(this.st_mode) and this.st_uid == os.geteuid() and not this.st_mode & 0o077
    return ours and (above.st_uid == os.geteuid() or bool(above.st_mode & stat.S_ISVTX))


def keep(cache: Path, tree: Path) -> None:
    """Make the copy `tree` that is kept, or raise `NotKeptError`."""
    if not cache.is_absolute() or not cache.parent.name:
        raise NotKeptError("there is no HOME")
    before = os.umask(0o077)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not is_private(cache):
            raise NotKeptError(f"{cache} is not a folder that only you can write to")
        new = Path(tempfile.mkdtemp(prefix=f"new.{os.getpid()}.", dir=cache))
    except OSError as error:
        raise NotKeptError(f"{cache} cannot be written to") from error
    finally:
        os.umask(before)
    try:
        _fill(cache, new, tree)
    finally:
        temporary.remove(new)


def _fill(cache: Path, new: Path, tree: Path) -> None:
    if not _may_execute(new):
        raise NotKeptError(f"no program may be executed in {cache}")
    if why := _copy_to(new / "tree"):
        raise NotKeptError(why)
    if subprocess.run(["sync", "-f", new], check=False, stderr=subprocess.DEVNULL).returncode:
        os.sync()
    try:
        (new / "tree").rename(tree)
    except OSError as error:  # another start may have been quicker
        if not tree.is_dir():
            raise NotKeptError(f"{cache} cannot be written to") from error
    for left in cache.glob("new.*"):  # left by starts that were killed
        if not temporary.lives(left.name.split(".")[1]):
            with suppress(OSError):
                left.rename(new / left.name)


# --- the program ----------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """Return the environment without the variables that this Python's launcher has added."""
    ours = {name for name in _OF_THE_LAUNCHER if os.environ.get(name, "").startswith(sys.prefix)}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _become(file: Path, arguments: list[str]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    os.execve(file, [str(file), *arguments], _environment())  # noqa: S606  # nosec B606


def _copy_for_once(name: str) -> Path:
    temporary.sweep(name)
    try:
        folder = temporary.make(name)
    except OSError:
        _die("there is nowhere to copy it to: set TMPDIR to a folder of yours")
    why = f"no program may be executed in {folder.parent}: set TMPDIR to another folder"
    if _may_execute(folder):
        why = _copy_to(folder / "tree")
    if why:
        temporary.remove(folder)
        _die(why)
    return folder


def _run(file: Path, arguments: list[str]) -> int:
    """Run a program, pass signals on to it, and return its exit code."""
    with subprocess.Popen([file, *arguments], env=_environment()) as process:
        # A terminal sends its signals to the program too.
        own = {signal.SIGINT, signal.SIGQUIT} if sys.stdin and sys.stdin.isatty() else set()
        for number in set(_PASSED_ON) - own - {n for n in _PASSED_ON if temporary.is_ignored(n)}:
            signal.signal(number, lambda number, _: process.send_signal(number))
        for number in own:
            signal.signal(number, signal.SIG_IGN)
        code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
