"""Checks what pipelines run: the same at each provider, and nothing that does not exist."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from . import commands

PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "GitHub": (".github/workflows/pipeline.yml", ".github/workflows/weekly.yml"),
    "GitLab": (".gitlab-ci.yml",),
    "Jenkins": ("Jenkinsfile",),
}
"""The files of each provider's pipelines."""
COMMANDS = (
    "nox -s lint", "nox -s docs", "nox -s test", "nox -s security", "nox -s sonar",
    "invoke branch.check", "invoke deploy.QUADRANT", "invoke deploy.verify", "invoke ci.deploy",
    "invoke deps.update", "invoke ci.request",
)  # fmt: skip
"""The sessions and tasks that the pipelines of every provider run."""
_DEPLOY = "invoke ci.deploy"
_COMMENT = re.compile(r"^\s*(#|//).*$", re.MULTILINE)
_CALL = re.compile(r"(?:^|(?<=[\s'\"]))(?:nox -s|invoke) [a-z][\w.-]*(?: [^'\n]*)?")
_VARIABLES = (
    (re.compile(r"-(\$PYTHON|\$\{\{ matrix\.python \}\})"), ""),
    (re.compile(r"\$QUADRANT|\$\{\{ matrix\.quadrant \}\}"), "QUADRANT"),
)
"""What stands for each Python and each quadrant, and what it is read as."""


def problems(
    root: Path,
    helps: Mapping[str, Mapping[str, str]],
    quadrants: Iterable[str],
    sessions: Iterable[str],
    *,
    deploys: bool = True,
) -> list[str]:
    """Return a line for each mistake in the pipelines of a project.

    `helps` is what `commands.helps` returns, `quadrants` those of which pipelines build artefacts,
    `sessions` those that the table of branches names, and `deploys` whether any branch deploys.
    """
    found = {
        provider: [call for name in files for call in calls(root / name)]
        for provider, files in PROVIDERS.items()
        if (root / files[0]).is_file()
    }
    wanted = dict.fromkeys([*COMMANDS, *(f"nox -s {session}" for session in sessions)], True)
    wanted[_DEPLOY] = deploys
    return [
        f"{PROVIDERS[provider][0]}: {problem}"
        for provider, lines in found.items()
        for problem in [*_unlike(lines, wanted), *_unknown(lines, helps, tuple(quadrants))]
    ]


def calls(path: Path) -> list[str]:
    """Return the calls of nox and invoke in a pipeline, with QUADRANT for a variable quadrant."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = _COMMENT.sub("", text)
    for variable, read_as in _VARIABLES:
        text = variable.sub(read_as, text)
    return [found[0].strip() for found in _CALL.finditer(text)]


def _unlike(lines: Iterable[str], wanted: Mapping[str, bool]) -> Iterator[str]:
    """Yield which commands are missing of those that must be there, and which may not be there."""
    called = dict.fromkeys(_name(line) for line in lines)
    yield from (f"`{name}` is not run" for name in wanted if wanted[name] and name not in called)
    yield from (f"`{name}` is run here only" for name in called if name not in wanted)


def _name(line: str) -> str:
    words = line.split()
    return " ".join(words[: 3 if words[0] == "nox" else 2])


def _unknown(
    lines: Iterable[str], helps: Mapping[str, Mapping[str, str]], quadrants: tuple[str, ...]
) -> Iterator[str]:
    for line in dict.fromkeys(lines):
        meant = [line.replace("QUADRANT", name) for name in quadrants if "QUADRANT" in line]
        for call in meant or [line]:
            yield from (f"`{name}` does not exist" for name in commands.unknown_in(call, helps))
