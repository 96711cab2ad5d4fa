"""Gets every locked dependency as a wheel for the target, checked against the lock's hashes."""

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ...lib.console import TaskError
from ...lib.environment import Environment
from ...lib.interpreter import minor
from ...lib.process import REPRODUCIBLE, run
from ..build import SCRIPTS, publish

REQUIREMENTS = "requirements.txt"
_APPLY = SCRIPTS / "markers.py"
_NEWEST_GLIBC = 39
_OLDEST_GLIBC = 17
# What pip prints, and what it means in a few words.
_REASONS = {
    r"No matching distribution found for (\S+)": "there is no file of it for {system}",
    r"Failed to build '?([\w.-]+)'?": "it comes as source alone, which cannot be built here",
    r"Failed building wheel for ([\w.-]+)": "it comes as source alone, which cannot be built here",
    r"(?m)^\s+(\S+) from .*:\n\s+Expected sha256": "what came is not what the lock says",
}


def native(tools: Environment, pinned: str, folder: Path, system: str) -> None:
    """Fill `folder` with wheels, with the interpreter that will run them: it judges the markers.

    Dependencies without a wheel are built here. Raises `TaskError` that names a dependency
    which cannot be had.
    """
    _pip(tools, pinned, folder, system, "wheel", "--wheel-dir")


def foreign(tools: Environment, pinned: str, folder: Path, system: str, *, version: str) -> None:
    """Fill `folder` with wheels for another machine's architecture and Python `version`.

    Raises `TaskError` that names a dependency which cannot be had.
    """
    machine = system.partition("-")[2]
    # pip's --platform chooses files but judges markers by the Python that runs it.
    with tempfile.TemporaryDirectory() as work:
        listing = Path(work, REQUIREMENTS)
        listing.write_text(pinned, encoding="utf-8")
        applying = run(
            [tools.python, _APPLY, listing, json.dumps(_marker_values(machine, version))]
        )
    major, minor, *_ = version.split(".")
    abis = (f"cp{major}{minor}", "abi3", "none")
    glibcs = range(_OLDEST_GLIBC, _NEWEST_GLIBC + 1)  # pip takes the first that has a wheel
    platforms = (f"manylinux2014_{machine}", *(f"manylinux_2_{n}_{machine}" for n in glibcs))
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
    options += [f"--abi={abi}" for abi in abis] + [f"--platform={name}" for name in platforms]
    _pip(tools, applying, folder, system, "download", *options, "--dest")


def write_requirements(folder: Path, pinned: str) -> dict[str, str]:
    """Write the wheels of a folder as hash-pinned requirements.

    Returns the hashes, by name, of the wheels that were built here and so are not in the lock.
    """
    lines, made = [], {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        digest = publish.sha256(wheel)
        lines.append(f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{digest}\n")
        if f"sha256:{digest}" not in pinned:
            made[wheel.name] = digest
    (folder / REQUIREMENTS).write_text("".join(lines), encoding="utf-8", newline="\n")
    return made


def _pip(tools: Environment, pinned: str, folder: Path, system: str, *command: str) -> None:
    folder.mkdir(parents=True)
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
    with tempfile.TemporaryDirectory() as work:
        listing = Path(work, REQUIREMENTS)
        listing.write_text(pinned, encoding="utf-8")
        pip: list[str | Path] = [tools.python, "-m", "pip", *command, folder, *options]
        try:
            # Reproducible, since pip builds the wheels of what comes as source alone.
            run([*pip, "--requirement", listing], env=REPRODUCIBLE)
        except TaskError as error:
            raise TaskError(_reason(str(error), system, pinned.splitlines())) from error


def _reason(said: str, system: str, pinned: Iterable[str]) -> str:
    for pattern, meaning in _REASONS.items():
        if found := re.search(pattern, said):
            name = found[1].partition("==")[0].partition("[")[0]
            version = next((f" {re.split('[ ;]', line.partition('==')[2])[0]}" for line in pinned
                            if re.split(r"[\[=]", line)[0] == name), "")  # fmt: skip
            return f"{name}{version} cannot be bundled: {meaning.format(system=system)}"
    errors = [line.strip() for line in said.splitlines() if "ERROR:" in line]
    return f"pip cannot get the dependencies: {errors[-1] if errors else said}"


def _marker_values(machine: str, version: str) -> dict[str, str]:
    """Return the values of markers (https://packaging.python.org/specifications/dependency-specifiers/)."""
    return {
        "implementation_name": "cpython",
        "implementation_version": version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": version,
        "python_version": minor(version),
        "sys_platform": "linux",
    }
