"""Decides which interpreter a bundle carries: python-build-standalone's by uv, else a local one."""

import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ...lib import interpreter
from ...lib.console import TaskError, step
from ...lib.interpreter import Interpreter
from ...lib.process import run
from ..build.plan import Plan

PLATFORMS = ("linux-x86_64", "linux-aarch64", "linux-ppc64le", "linux-riscv64", "linux-s390x")
"""For which there are standalone interpreters with glibc, and wheels."""
_UV_MACHINES = {"ppc64le": "powerpc64le"}
"""What uv calls a machine where that is not what uname(1) does."""
_RETRY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Source:
    """An interpreter to carry, as it is before it is made ready for that."""

    standalone: Path | None
    """Its folder, for a standalone one; None for the local one."""
    version: str
    """The full version, such as `3.13.5`."""
    build: str
    """What tells it from every other one."""

    @property
    def kind(self) -> str:
        """Where it comes from."""
        return "python-build-standalone" if self.standalone else "local"

    def facts(self) -> dict[str, str]:
        """Give what a manifest says about it."""
        return {"python": self.version, "interpreter": self.kind}


def choose(what: Plan, *, native: bool, fetch: bool) -> Source:
    """Give the interpreter to carry, fetched now (if `fetch`) or kept from before.

    Without `fetch` nothing of it stays, and one that could be carried without fetching is not
    fetched. Raises `TaskError` where invoke.yaml or the platform asks for one that cannot be had.
    """
    wanted = what.settings.interpreter
    if wanted == "local" and native:
        return _local(what)
    if wanted == "local":
        raise TaskError(
            "deploy.offline_source.interpreter is 'local', and this machine's interpreter does "
            f"not run on {what.system}: expected auto or standalone"
        )
    folder = what.rooms / "standalone"
    kept = _kept(what, folder)
    stamp = folder / f"{what.system}.unreachable"
    if kept:
        return kept
    insisted = wanted == "standalone" or not native
    if not fetch:
        return _tried(what) if insisted else _local(what)
    if not insisted and stamp.exists() and time.time() - stamp.stat().st_mtime < _RETRY_SECONDS:
        return _local(what)
    try:
        _fetch(what, folder)
    except TaskError as error:
        if insisted:
            raise _unobtainable(what, error) from error
        print(f"  no standalone Python can be had: taking {what.interpreter.path}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        return _local(what)
    return _fetched(what, folder)


def _tried(what: Plan) -> Source:
    """Give the interpreter that a build would fetch; only fetching tells that it can be had."""
    with tempfile.TemporaryDirectory() as work:
        try:
            _fetch(what, Path(work))
        except TaskError as error:
            raise _unobtainable(what, error) from error
        return _fetched(what, Path(work))


def _fetched(what: Plan, folder: Path) -> Source:
    found = _kept(what, folder)
    if not found:
        raise TaskError(f"uv left no Python {_version(what)} for {what.system}")
    return found


def _unobtainable(what: Plan, error: TaskError) -> TaskError:
    return TaskError(
        f"no standalone Python {_version(what)} for {what.system} can be had: {_in_one_line(error)}"
    )


def _local(what: Plan) -> Source:
    return Source(None, what.interpreter.version, what.interpreter.build)


def _version(what: Plan) -> str:
    minor = ".".join(what.interpreter.version.split(".")[:2])
    return what.settings.standalone_version or minor


def _uv_system(what: Plan) -> str:
    return f"linux-{_UV_MACHINES.get(what.machine, what.machine)}-gnu"


def _in_one_line(error: TaskError) -> str:
    lines = (re.sub("^(error|cause): ", "", line.strip()) for line in str(error).splitlines())
    return ": ".join(line.rstrip(":") for line in lines if line)


def _fetch(what: Plan, folder: Path) -> None:
    uv = shutil.which("uv")
    if not uv:
        raise TaskError("uv is not here, which gets it")
    if not interpreter.may_fetch():
        raise TaskError("UV_PYTHON_DOWNLOADS is 'never'")
    mirror = what.settings.standalone_mirror
    with step(f"uv gets python-build-standalone {_version(what)} for {what.system}"):
        run(
            [uv, "python", "install", "--quiet", "--no-bin", "--install-dir", folder,
             *(["--mirror", mirror] if mirror else []),
             f"cpython-{_version(what)}-{_uv_system(what)}"],
            env={"UV_HTTP_RETRIES": "1"},
        )  # fmt: skip


def _kept(what: Plan, folder: Path) -> Source | None:
    pattern = f"cpython-{_version(what)}*-{_uv_system(what)}"
    for found in sorted(folder.glob(pattern), key=_patch, reverse=True):
        version = found.name.split("-")[1]
        if version == _version(what) or version.startswith(f"{_version(what)}."):
            return Source(found, version, found.name)
    return None


def _patch(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split("-")[1].split(".") if part.isdecimal()]


def native_interpreter(source: Source, what: Plan) -> Interpreter:
    """Give the interpreter of `source` as one that runs here."""
    if not source.standalone:
        return what.interpreter
    return Interpreter(source.standalone / "bin" / "python3", source.version, source.build)
