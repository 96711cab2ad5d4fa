"""`hosts.compare`: the table of what differs between the inventories, in docs/environments.md."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from invoke.context import Context

from ..lib import project
from ..lib.console import TaskError, closing
from ..lib.environment import ensure, interpreter
from ..lib.process import last_line
from ..lib.project import Project
from ..lib.task import task
from .ansible import CATEGORY, FOLDER

INVENTORIES = Path("deploy/inventory")
PAGE = Path("docs/environments.md")
MARK = "<!-- From here on written by hosts.compare. -->\n"
_SECRET = re.compile(r"password|token|secret|key|vault|//[^/\s]+@", re.IGNORECASE)

Variables = Mapping[str, Mapping[str, Any]]
"""The variables that an inventory gives each host, by the host's name."""


@task(help={"check": "Change nothing; exit with 1 where the page is not current."})
def compare(_context: Context, check: bool = False) -> None:
    """Write the table of what differs between the inventories into docs/environments.md."""
    this = project.load()
    page = this.root / PAGE
    before = page.read_text(encoding="utf-8")
    above, mark, _ = before.partition(MARK)
    if not mark:
        raise TaskError(f"{PAGE} has no line '{MARK.strip()}'")
    inventories = {path.stem: _read(this, path) for path in _files(this.root / INVENTORIES)}
    after = f"{above}{mark}\n{table(inventories)}"
    if check and after != before:
        raise TaskError(f"{PAGE} is not current: run `invoke hosts.compare`")
    if after != before:
        page.write_text(after, encoding="utf-8")
    closing(
        f"{PAGE} is {'current' if after == before else 'written'}",
        {"inventories": ", ".join(_smallest_first(inventories))},
    )


def table(inventories: Mapping[str, Variables]) -> str:
    """Return a Markdown table: a row per variable that differs, a column per inventory."""
    names = _smallest_first(inventories)
    columns = {name: _summary(inventories[name]) for name in names}
    rows = [
        ["", *names],
        ["---"] * (len(names) + 1),
        ["hosts", *(str(len(inventories[name])) for name in names)],
    ]
    for variable in sorted(set().union(*columns.values())):
        values = [columns[name].get(variable, "") for name in names]
        if len(set(values)) > 1:
            rows.append([_code(variable), *values])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")


def _read(this: Project, inventory: Path) -> Variables:
    tools = ensure(this, interpreter(this), CATEGORY)
    done = subprocess.run(
        [tools.command("ansible-inventory"), "--list", "--inventory", inventory],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(this.root / FOLDER / "ansible.cfg"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    name = inventory.relative_to(this.root)
    if done.returncode:
        why = last_line(done.stderr, f"exit code {done.returncode}")
        raise TaskError(f"{name} cannot be read: {why}")
    listed = json.loads(done.stdout)
    hosts = {host for group in listed.values() for host in group.get("hosts", ())}
    if not hosts:
        raise TaskError(f"{name} names no hosts")
    return {host: listed["_meta"]["hostvars"].get(host, {}) for host in hosts}


def _smallest_first(inventories: Mapping[str, Variables]) -> list[str]:
    return sorted(inventories, key=lambda name: (len(inventories[name]), name))


def _summary(hosts: Variables) -> dict[str, str]:
    """Return each variable's value for the hosts of an inventory; `by host` where they differ."""
    shown = [dict(_leaves(dict(variables))) for variables in hosts.values()]
    summary = {}
    for name in set().union(*shown):
        values = {variables.get(name, "") for variables in shown}
        summary[name] = values.pop() if len(values) == 1 else "by host"
    return summary


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and "__ansible_vault" not in value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}".lstrip("."))
    else:
        yield name, _shown(name, value)


def _shown(name: str, value: object) -> str:
    """Return a value as a table's cell; hide whatever may be a secret, rather too much."""
    text = " ".join((value if isinstance(value, str) else json.dumps(value)).split())
    if _SECRET.search(f"{name} {text}"):
        return "secret"
    return "computed" if "{{" in text else _code(text)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")
