"""Plain functions that the template's tests share."""

import hashlib
import json
import os
import re
import runpy
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from tasks.lib import interpreter

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "{{cookiecutter.project}}"
HOOK = ROOT / "hooks" / "pre_gen_project.py"
CHOICE = ROOT / "hooks" / "post_gen_project.py"
PYTHONS: list[str] = runpy.run_path(str(HOOK))["PYTHONS"]
KINDS: list[str] = runpy.run_path(str(HOOK))["KINDS"]
LICENSES: list[str] = runpy.run_path(str(HOOK))["LICENSES"]
PROVIDERS: list[str] = runpy.run_path(str(HOOK))["PROVIDERS"]


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    code: int = 0,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command that must end with exit status `code`, and return its output."""
    done = subprocess.run(
        command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"{command}:\n{done.stdout}{done.stderr}"
    return done


def cache() -> Path:
    """Return the folder of what the tests make once per machine, in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "cookiecutter-quadrant")


def literal(text: str) -> str:
    """Return `text` spelled so that cookiecutter keeps it, which renders each KEY=VALUE."""
    return f"{{{{ {text!r} }}}}"


def commit(folder: Path) -> None:
    """Put everything in `folder` into a new Git repository as one commit of a fixed date."""
    run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder)
    commit_change(folder)


def commit_change(folder: Path) -> None:
    """Commit what was changed in `folder`, always with the same date."""
    when = "2026-01-01T00:00:00Z"
    fixed = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "GIT_CONFIG_GLOBAL": os.devnull}
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for arguments in (["add", "--all"], [*who, "commit", "--quiet", "--message=A commit"]):
        run(["git", *arguments], cwd=folder, env={**os.environ, **fixed})


def offered_here() -> str:
    """Return the newest offered Python that this machine has, such as `3.13`."""
    here = [version for version in PYTHONS if interpreter.present(version)]
    if not here:
        missing(f"one of Python {', '.join(PYTHONS)}")
    return max(here, key=lambda version: int(version.partition(".")[2]))


def tracked(root: Path = ROOT) -> list[str]:
    """Return the files in `root` that git knows or would add, and that are there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = run(command, cwd=root).stdout.split("\0")
    return sorted({name for name in names if (root / name).is_file()})


def tree(folder: Path) -> set[str]:
    """Return the paths of everything below `folder`."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below `folder` by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def shown(page: Path, words: str) -> str:
    """Return the only block of code on a page of documentation that contains some words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.M)
    [block] = [block for block in blocks if words in block]
    return str(block)


BREAKS = "\nimport sys\n\nif 'serve' in sys.argv:\n    raise SystemExit('it breaks here')\n"
"""What makes a program fail when it serves, and not when a build looks for it."""

WELL_KNOWN = "src/my_service/static/.well-known/.security.txt"
LEFT_BEHIND = ("src/my_service/.env", "src/my_service/.app.py.swp", "src/my_service/app.py~")


def add_dot_files(folder: Path) -> None:
    """Add to a project data whose names begin with a dot, and what editors and developers leave."""
    for name in (WELL_KNOWN, *LEFT_BEHIND):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Contact: mailto:you@example.com\n")


def wheel(folder: Path, name: str, **modules: str) -> dict[str, object]:
    """Make a wheel of a package's modules; return its entry for a lock."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    texts = {f"{name}/{module}.py": text for module, text in modules.items()}
    texts[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    texts[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*texts, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in texts.items():
            member = zipfile.ZipInfo(file)  # dated 1980: the same hash each time
            member.external_attr = 0o644 << 16
            archive.writestr(member, text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"version": "==1.0", "hashes": [f"sha256:{digest}"]}


def edit_lock(folder: Path, entries: Mapping[str, Mapping[str, object]]) -> None:
    """Add packages to those that a project's lock has for its program."""
    path = folder / "Pipfile.lock"
    content = json.loads(path.read_text("utf-8"))
    content["default"].update(entries)
    path.write_text(json.dumps(content), "utf-8")


def missing(part: str) -> NoReturn:
    """End a test that lacks a real part: an error where CI is set, else a skip that names it."""
    if os.environ.get("CI"):
        pytest.fail(f"{part} is missing")
    pytest.skip(f"{part} is missing")
