"""Finds commands that the documentation names and that do not exist."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..lib.project import Project

_COMMAND = re.compile(r"^ {2}([a-z][\w.-]*)(?: {2,}|$)", re.MULTILINE)  # a line of a menu
_SESSION = re.compile(r"^[*-] ([a-z]\w*)", re.MULTILINE)
_VERB = re.compile(r"^ {4}([a-z]+)(?: {2,}|$)", re.MULTILINE)  # a command in argparse's help
_ADMIN = (
    "import sys; sys.path.insert(0, 'deploy')\n"
    "from host.cli import _parser\n"
    "_parser(sys.argv[1]).parse_args(sys.argv[2:])"
)
"""Prints the help of the host engine. Its command exists in releases alone, so import it here."""
_NAME = re.compile(r'"\$name"|\$name\b|\bNAME\b')
_OPTION = re.compile(r"(?<!\S)--?[a-z][\w-]*")
_CODE = re.compile(r"```[^\n]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def helps(project: Project, ask: Callable[..., str]) -> dict[str, dict[str, str]]:
    """Return the commands of each tool and the help of each command, by asking the tools.

    `ask` runs a command and returns what it prints.
    """
    program = ("python", "-m", project.runtime)
    admin = ("python", "-c", _ADMIN, project.program)
    sessions = dict.fromkeys(_SESSION.findall(ask("nox", "--list")), "")
    tasks = _COMMAND.findall(ask("invoke", "--list"))
    verbs = _COMMAND.findall(ask(*program, "--help"))
    # What the program's own commands do with --help, nobody knows.
    own = project.serves.get("commands", {})
    return {
        "nox -s": sessions,
        "invoke": {name: ask("invoke", "--help", name) for name in tasks},
        project.program: {
            verb: "" if verb in own else ask(*program, verb, "--help") for verb in verbs
        },
        f"{project.program}-admin": {
            verb: ask(*admin, verb, "--help") for verb in _VERB.findall(ask(*admin, "--help"))
        },
    }


def pages(root: Path) -> list[Path]:
    """Return every page of documentation: README.md and all below docs/."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def unknown(page: Path, helps: Mapping[str, Mapping[str, str]], name: str) -> list[str]:
    """Return the commands and options in a page's code that `helps` does not know, as written.

    `helps` maps each tool, such as `invoke`, to its commands and their help texts. The options of a
    command without a help text are not checked. `name` is the program's name; pages that serve
    every project write `$name` or NAME instead.
    """
    lines = _code_lines(_NAME.sub(name, page.read_text(encoding="utf-8")))
    return [problem for line in lines for problem in unknown_in(line, helps)]


def unknown_in(line: str, helps: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the commands and options in a line of code that `helps` does not know."""
    return [
        problem for tool, commands in helps.items() for problem in _problems(line, tool, commands)
    ]


def _code_lines(page: str) -> Iterator[str]:
    for block, span in _CODE.findall(page):
        yield from (block or span).replace("\\\n", " ").splitlines()


def _problems(line: str, tool: str, commands: Mapping[str, str]) -> Iterator[str]:
    for found in re.finditer(rf"(?<![\w./-]){re.escape(tool)} +([a-z][\w.-]*)([^|;&#]*)", line):
        command, rest = found.groups()
        if command not in commands:
            yield f"{tool} {command}"
        elif commands[command]:
            for option in _OPTION.findall(rest):
                if option not in commands[command]:
                    yield f"{tool} {command} {option}"
