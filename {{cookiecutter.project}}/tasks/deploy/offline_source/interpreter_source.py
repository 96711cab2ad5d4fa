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
"""The platforms for which there are standalone interpreters with glibc, and wheels."""
_UV_MACHINES = {"ppc64le": "powerpc64le"}
"""uv's names of machines, where they differ from those of uname(1)."""
_RETRY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class InterpreterSource:
    """An interpreter to carry, before it is made relocatable."""

    standalone: Path | None
    """Its folder, for a standalone one; None for the local one."""
    version: str
    """The full version, such as `3.13.5`."""
    build: str
    """What identifies it among all interpreters."""

    @property
    def kind(self) -> str:
        """Where it comes from."""
        return "python-build-standalone" if self.standalone else "local"

    def facts(self) -> dict[str, str]:
        """Return what a manifest says about it."""
        return {"python": self.version, "interpreter": self.kind}


def choose(plan: Plan, *, fetch: bool) -> InterpreterSource:
    """Return the interpreter to carry, fetched now (if `fetch`) or kept from before.

    Without `fetch` nothing is kept, and an interpreter is only fetched if the bundle could carry no
    other. Raises `TaskError` where invoke.yaml or the platform asks for one that cannot be had.
    """
    wanted = plan.settings.interpreter
    if wanted == "local" and plan.native:
        return _local(plan)
    if wanted == "local":
        raise TaskError(
            "deploy.offline_source.interpreter is 'local', and this machine's interpreter does "
            f"not run on {plan.system}: expected auto or standalone"
        )
    folder = plan.build / "standalone"
    kept = _kept(plan, folder)
    stamp = folder / f"{plan.system}.unreachable"
    if kept:
        return kept
    insisted = wanted == "standalone" or not plan.native
    if not fetch:
        return _tried(plan) if insisted else _local(plan)
    if not insisted and stamp.exists() and time.time() - stamp.stat().st_mtime < _RETRY_SECONDS:
        return _local(plan)
    try:
        _fetch(plan, folder)
    except TaskError as error:
        if insisted:
            raise _unobtainable(plan, error) from error
        print(f"  no standalone Python can be had: taking {plan.interpreter.path}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        return _local(plan)
    return _fetched(plan, folder)


def _tried(plan: Plan) -> InterpreterSource:
    """Return the interpreter that a build would fetch; only a fetch shows whether that works."""
    with tempfile.TemporaryDirectory() as work:
        try:
            _fetch(plan, Path(work))
        except TaskError as error:
            raise _unobtainable(plan, error) from error
        return _fetched(plan, Path(work))


def _fetched(plan: Plan, folder: Path) -> InterpreterSource:
    found = _kept(plan, folder)
    if not found:
        raise TaskError(f"uv left no Python {_version(plan)} for {plan.system}")
    return found


def _unobtainable(plan: Plan, error: TaskError) -> TaskError:
    return TaskError(
        f"no standalone Python {_version(plan)} for {plan.system} can be had: {_in_one_line(error)}"
    )


def _local(plan: Plan) -> InterpreterSource:
    return InterpreterSource(None, plan.interpreter.version, plan.interpreter.build)


def _version(plan: Plan) -> str:
    return plan.settings.standalone_version or interpreter.minor(plan.interpreter.version)


def _uv_system(plan: Plan) -> str:
    return f"linux-{_UV_MACHINES.get(plan.machine, plan.machine)}-gnu"


def _in_one_line(error: TaskError) -> str:
    lines = (re.sub("^(error|cause): ", "", line.strip()) for line in str(error).splitlines())
    return ": ".join(line.rstrip(":") for line in lines if line)


def _fetch(plan: Plan, folder: Path) -> None:
    uv = shutil.which("uv")
    if not uv:
        raise TaskError("uv, which fetches it, is not installed")
    if not interpreter.may_fetch():
        raise TaskError("UV_PYTHON_DOWNLOADS is 'never'")
    mirror = plan.settings.standalone_mirror
    with step(f"uv gets python-build-standalone {_version(plan)} for {plan.system}"):
        run(
            [uv, "python", "install", "--quiet", "--no-bin", "--install-dir", folder,
             *(["--mirror", mirror] if mirror else []),
             f"cpython-{_version(plan)}-{_uv_system(plan)}"],
            env={"UV_HTTP_RETRIES": "1"},
        )  # fmt: skip


def _kept(plan: Plan, folder: Path) -> InterpreterSource | None:
    pattern = f"cpython-{_version(plan)}*-{_uv_system(plan)}"
    for found in sorted(folder.glob(pattern), key=_patch, reverse=True):
        version = found.name.split("-")[1]
        if version == _version(plan) or version.startswith(f"{_version(plan)}."):
            return InterpreterSource(found, version, found.name)
    return None


def _patch(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split("-")[1].split(".") if part.isdecimal()]


def native_interpreter(source: InterpreterSource, plan: Plan) -> Interpreter:
    """Return the interpreter of `source` as one that runs here."""
    if not source.standalone:
        return plan.interpreter
    return Interpreter(source.standalone / "bin" / "python3", source.version, source.build)
