"""Writes what is derived from the table, and says what differs from it."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from . import github, gitlab, page, pipelines
from .table import Kind, Table, files_pattern, load, may_merge, targets

FOLDER = "ops/branches"
HOOK = f"{FOLDER}/pre-receive"
PAGE = "docs/branches.md"
_SOURCE = Path(__file__).with_name("pre_receive.py")
_EMPTY = 'json.loads(r"""{}""")'


def differences(root: Path) -> list[str]:
    """Return the derived files of a project that are not as its table says."""
    wanted = expected(root)
    wrong = [name for name, text in wanted.items() if _text(root / name) != text]
    return sorted([*wrong, *_stale(root, wanted)])


def problems(root: Path, sessions: Collection[str]) -> list[str]:
    """Return a line for each derived file that differs, and each session that does not exist."""
    other = [
        f"{name} is not as [tool.branches] says: run `invoke branch.sync`"
        for name in differences(root)
    ]
    absent = [
        f"tool.branches.{kind.key}.checks has '{name}': expected {', '.join(sorted(sessions))}"
        for kind in load(root).values()
        for name in kind.checks
        if name not in sessions
    ]
    return [*absent, *other]


def write(root: Path) -> list[str]:
    """Write all derived files anew; return those that were changed or removed."""
    wanted = expected(root)
    changed = differences(root)
    for name in changed:
        path = root / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(wanted[name], encoding="utf-8", newline="\n")
        part.chmod(0o755 if name == HOOK else 0o644)
        part.replace(path)
    return changed


def expected(root: Path) -> dict[str, str]:
    """Return the text of each derived file by its path."""
    table = load(root)
    rulesets = {
        f"{FOLDER}/github/{name}.json": _json(ruleset)
        for name, ruleset in github.rulesets(table).items()
    }
    return {
        HOOK: hook(table),
        f"{FOLDER}/gitlab.json": _json(gitlab.protected(table)),
        **rulesets,
        PAGE: page.renewed(_text(root / PAGE), table),
        **pipelines.expected(root),
    }


def hook(table: Table) -> str:
    """Return the hook of a server, with the table in it."""
    return _SOURCE.read_text(encoding="utf-8").replace(
        _EMPTY, f'json.loads(r"""\n{_json(rows(table))}""")'
    )


def rows(table: Table) -> dict[str, dict[str, Any]]:
    """Return what the hook knows of each kind of branch."""
    return {kind.key: _known(table, kind) for kind in table.values()}


def _known(table: Table, kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.name,
        "pattern": kind.pattern,
        "fixed": kind.fixed,
        "direct": kind.push != "nobody",
        "kept": kind.push != "developers",
        "takes": [source.key for source in table.values() if may_merge(source, kind)],
        "goes": [target.name for target in targets(table, kind)],
        "files": [files_pattern(pattern) for pattern in kind.files],
        "says": f"{kind.name} may change {', '.join(kind.files) or 'any file'}",
    }


def _stale(root: Path, wanted: dict[str, str]) -> Iterator[str]:
    """Yield the rulesets of kinds that the table no longer has."""
    for path in (root / FOLDER / "github").glob("*.json"):
        name = path.relative_to(root).as_posix()
        if name not in wanted:
            yield name


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _json(content: object) -> str:
    return json.dumps(content, indent=2) + "\n"
