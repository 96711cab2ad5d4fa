"""Finds the Python that a project asks for: pyenv's, else one on PATH, else one from uv."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# With these options pyenv builds a Python that PyInstaller can use, and that runs a fifth faster.
OPTIMISED = "PYTHON_CONFIGURE_OPTS='--enable-shared --enable-optimizations --with-lto'"

_PROBE = "import json, sys; print(json.dumps([sys.executable, sys.version]))"
_FETCH_SECONDS = 600


class InterpreterError(Exception):
    """The wanted Python is not here; the text says how to get it and which others would do."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that was started once and answered."""

    path: Path
    version: str
    """The full version, such as `3.13.0`."""
    build: str
    """What the interpreter says of its own build: version, date and compiler."""


def find(wanted: str, accepted: Iterable[str] = (), *, fetch: bool = True) -> Interpreter:
    """Find Python `wanted` (`3.13` or `3.13.2`); `fetch` lets uv download it.

    Raises `InterpreterError` where there is none; the text names those of `accepted` that are here.
    """
    for candidate in _candidates(wanted, fetch=fetch):
        found = _probe(candidate)
        if found and _is(found.version, wanted):
            return found
    here = [version for version in accepted if version != wanted and present(version)]
    others = f"--python would accept {', '.join(here)}" if here else "no other one is here"
    raise InterpreterError(
        f"Python {wanted} is not here: get it with `{OPTIMISED} pyenv install {wanted}` "
        f"or `uv python install {wanted}`{f'; {others}' if accepted else ''}"
    )


def search_path(versions: Iterable[str]) -> str:
    """Return a PATH with pyenv's Pythons of these versions after all that is on it now."""
    newest = [folders[0] for version in versions if (folders := _pyenv(version))]
    return os.pathsep.join([*os.get_exec_path(), *(str(folder / "bin") for folder in newest)])


def present(version: str) -> bool:
    """Return whether a Python of this version is here, without fetching one."""
    try:
        return bool(find(version, fetch=False))
    except InterpreterError:
        return False


def may_fetch() -> bool:
    """Return whether uv may download a Python."""
    return os.environ.get("UV_PYTHON_DOWNLOADS") != "never"


def minor(version: str) -> str:
    """Return the language version of a Python: `3.13` for `3.13.2`."""
    return ".".join(version.split(".")[:2])


def installed() -> list[str]:
    """Return the full versions of pyenv's Pythons, the oldest first."""
    numbers = (folder.name.split(".") for folder in _versions().glob("*"))
    plain = (parts for parts in numbers if all(part.isdecimal() for part in parts))
    return [".".join(parts) for parts in sorted(plain, key=lambda parts: [int(p) for p in parts])]


def _versions() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"


def _candidates(wanted: str, *, fetch: bool) -> Iterator[Path]:
    for folder in _pyenv(wanted):
        yield from (folder / "bin" / "python", folder / "python.exe")
    # Every one on PATH, not the first alone: pyenv puts a shim there that may refuse to start.
    for folder in map(Path, os.get_exec_path()):
        for name in (f"python{minor(wanted)}", f"python{minor(wanted)}.exe", "python.exe"):
            if (folder / name).is_file():
                yield folder / name
    if uv := shutil.which("uv"):
        yield from _from_uv(uv, "find", wanted)
        if fetch and may_fetch():
            _output([uv, "python", "install", "--quiet", wanted])
            yield from _from_uv(uv, "find", wanted)


def _pyenv(wanted: str) -> list[Path]:
    """Return pyenv's folders of a version, the newest patch first."""
    found = [folder for folder in _versions().glob(f"{wanted}*") if _is(folder.name, wanted)]
    return sorted(found, key=_patch, reverse=True)


def _from_uv(uv: str, verb: str, wanted: str) -> Iterator[Path]:
    path = _output([uv, "python", verb, "--no-python-downloads", "--system", wanted]).strip()
    if path:
        yield Path(path)


def _probe(path: Path) -> Interpreter | None:
    try:
        executable, build = json.loads(_output([str(path), "-c", _PROBE]))
    except ValueError:
        return None
    return Interpreter(Path(executable), build.split()[0], build)


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _is(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith(f"{wanted}.")


def _patch(folder: Path) -> int:
    last = folder.name.split(".")[-1]
    return int(last) if last.isdecimal() else -1
