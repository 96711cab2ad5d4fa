"""Lets the built program import every distribution of the lock before it is published."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...lib.console import TaskError
from ...lib.process import run
from . import SCRIPTS

_SECONDS = 300
_FROM = re.compile(r"cannot import name '(\w+)' from (partially initialized module )?'([\w.]+)'")
_LINE = re.compile(r"(?m)^(import|failed) (.*)$")


def modules(python: Path, *distributions: str) -> list[str]:
    """Return the modules by which distributions are imported, as far as that Python has them."""
    return sorted({module for own in _owners(python, *distributions) for module in own})


def check(
    command: Sequence[str | Path],
    modules: Sequence[str],
    tree: Path,
    python: Path,
    *,
    settings: str = "",
) -> None:
    """Import modules with a program that runs probe.py, and leave its folder `tree` as it was.

    `python` has all packages of the lock: what a module needs and they do not have, a program that
    is made of them cannot have either. `settings` names the group of invoke.yaml that can add what
    is missing, if there is one. Raises `TaskError` with a line for each module that cannot be
    imported, unless its distribution has it for those alone who install more.
    """
    there = set(tree.rglob("*"))
    try:
        done = subprocess.run(
            [*command, *modules], capture_output=True, text=True, errors="replace", check=False,
            timeout=_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TaskError(f"{' '.join(modules)} cannot be imported in {_SECONDS} s") from error
    for made in sorted(set(tree.rglob("*")) - there, reverse=True):  # caches, mostly
        made.rmdir() if made.is_dir() else made.unlink()
    failures = list(_failures(done.stdout, python, settings))
    if "imported all" not in done.stdout.splitlines():
        failures += [f"{_last(done.stdout)}: it ended with exit code {done.returncode}"]
    if failures:
        raise TaskError("\n  ".join(failures))


def _owners(python: Path, *distributions: str) -> list[list[str]]:
    """Return the modules of each distribution."""
    script = SCRIPTS / "modules.py"
    return list(json.loads(run([python, "-I", "-B", script, *distributions])))


def _failures(said: str, python: Path, settings: str) -> Iterator[str]:
    failed, module = {}, ""
    for kind, rest in _LINE.findall(said):
        if kind == "import":
            module = rest
        elif rest.count("|") > 1:
            failed[module] = rest
    verdicts = _verdicts(python, list(failed)) if failed else {}
    for module, rest in failed.items():
        if verdicts.get(module) == "optional":
            missing = rest.split("|")[1]
            print(f"  {module} is not tried: it needs {missing}, which is not in the lock")
        elif verdicts.get(module) == "absent":
            reason = _reason(module, rest, "")
            yield f"{_cannot(module)}: {reason} (it is not in the lock: add it to the Pipfile)"
        else:
            yield f"{_cannot(module)}: {_reason(module, rest, settings)}"


def _verdicts(python: Path, failed: Sequence[str]) -> dict[str, str]:
    """Return what lacking.py says of modules that could not be imported."""
    owners = _owners(python)
    others = {
        module: [other for own in owners if module in own for other in own if other not in failed]
        for module in failed
    }
    script = SCRIPTS / "lacking.py"
    return dict(json.loads(run([python, "-I", "-B", script, json.dumps(others)])))


def _reason(module: str, failure: str, settings: str) -> str:
    error, missing, said = failure.split("|", 2)
    reason = said or error
    if found := _FROM.match(said):  # a module is missing, or something else in a module
        reason, missing = found[0], missing or f"{found[3]}.{found[1]}"
    if settings and missing:
        reason += f" (add {missing} to {settings}.hidden_imports in invoke.yaml)"
    elif settings and error == "FileNotFoundError":
        package = module.partition(".")[0]
        reason += f" (add {package} to {settings}.collect_data in invoke.yaml)"
    return reason


def _last(said: str) -> str:
    tried = [rest for kind, rest in _LINE.findall(said) if kind == "import"]
    return _cannot(tried[-1]) if tried else "what was built does not start"


def _cannot(module: str) -> str:
    return f"{module} cannot be imported in what was built"
