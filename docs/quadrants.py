"""Writes what README.md shows of the four quadrants: docs/quadrants.svg, and the table below it.

Both come from docs/quadrants.toml. With --check nothing is written, and the exit code is 1 where
one of them is not what this script would write.
"""

import argparse
import html
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "{{cookiecutter.project}}"
BEGIN, END = "<!-- Written by `nox -s docs`. -->\n", "<!-- The end of what it writes. -->\n"
COLUMNS = {"source": 140, "binary": 555}
ROWS = {"online": 90, "offline": 344}
REAL, PLANNED = "today", "planned"

Entry = dict[str, Any]


def main(root: Path = ROOT, argv: list[str] | None = None) -> int:
    """Write both files, or with --check return 1 where one differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    only_check = parser.parse_args(argv).check
    wanted = texts(root)
    stale = [path for path, text in wanted.items() if _text(path) != text]
    for path in stale:
        if only_check:
            name = path.relative_to(root)
            print(f"error: {name} differs from docs/quadrants.toml: run `nox -s docs`")
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if only_check and stale else 0


def texts(root: Path) -> dict[Path, str]:
    """Return what each of the files is to hold."""
    given = tomllib.loads(_text(root / "docs/quadrants.toml"))
    quadrants = [{**entry, "state": state(root, entry["name"])} for entry in given["quadrant"]]
    readme = root / "README.md"
    before, _, rest = _text(readme).partition(BEGIN)
    _, marked, after = rest.partition(END)
    if not marked:
        raise SystemExit(f"error: {readme.name} has no lines '{BEGIN.strip()}', '{END.strip()}'")
    return {
        root / "docs/quadrants.svg": picture(quadrants),
        readme: f"{before}{BEGIN}\n{table(quadrants, given['other'])}\n{END}{after}",
    }


def state(root: Path, name: str) -> str:
    """Return whether a quadrant exists today or is planned."""
    package = root / PROJECT / "tasks/deploy" / name.replace("-", "_") / "__init__.py"
    return REAL if package.is_file() else PLANNED


def table(quadrants: list[Entry], others: list[Entry]) -> str:
    """Return the table, in Markdown."""
    rows = [(f"`invoke deploy.{entry['name']}`", entry["state"], entry["table"])
            for entry in quadrants]  # fmt: skip
    rows += [(entry["what"], PLANNED if entry.get("planned") else REAL, entry["table"])
             for entry in others]  # fmt: skip
    head = "| | | What it does |\n|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def picture(quadrants: list[Entry]) -> str:
    """Return the picture, in SVG."""
    real = [entry["name"] for entry in quadrants if entry["state"] == REAL]
    planned = [entry["name"] for entry in quadrants if entry["state"] == PLANNED]
    summary = [f"There today: {', '.join(real)}."] if real else []
    summary += [f"Planned: {', '.join(planned)}."] if planned else []
    cards = "".join(_card(entry) for entry in quadrants)
    return _HEAD.replace("SUMMARY", " ".join(summary)) + cards + "</svg>\n"


def _card(entry: Entry) -> str:
    row, column = entry["name"].split("-")
    kind, flag = ("card real", "flag now") if entry["state"] == REAL else ("card", "flag")
    lines = [(82 + 28 * number, "text", text) for number, text in enumerate(entry["card"])]
    gives = [f"gives: {entry['gives'][0]}", *entry["gives"][1:]]
    first = 206 - 22 * (len(gives) - 1)
    lines += [(first + 22 * number, "note", text) for number, text in enumerate(gives)]
    return "\n".join(
        [
            f'  <g transform="translate({COLUMNS[column]} {ROWS[row]})">',
            f'    <rect class="{kind}" width="380" height="232" rx="10"/>',
            f'    <text class="verb" x="22" y="40">deploy.{entry["name"]}</text>',
            f'    <text class="{flag}" x="358" y="40" text-anchor="end">{entry["state"]}</text>',
            *(f'    <text class="{style}" x="22" y="{y}">{html.escape(text, quote=False)}</text>'
              for y, style, text in lines),
            "  </g>\n",
        ]
    )  # fmt: skip


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 600" \
font-family="Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif" \
role="img" aria-labelledby="title summary">
  <title id="title">The four ways to deploy</title>
  <desc id="summary">Two rows, online and offline, and two columns, source and binary. \
SUMMARY</desc>
  <style>
    .back { fill: #ffffff }
    .head { font-size: 20px; font-weight: 600; fill: #24292f }
    .note { font-size: 14px; fill: #57606a }
    .card { fill: #f6f8fa; stroke: #afb8c1; stroke-width: 1.5; stroke-dasharray: 7 5 }
    .real { fill: #ddf4e4; stroke: #1a7f37; stroke-width: 2.5; stroke-dasharray: none }
    .verb { font-family: Menlo, Consolas, DejaVu Sans Mono, monospace; font-size: 17px; \
font-weight: 700; fill: #24292f }
    .text { font-size: 15px; fill: #24292f }
    .flag { font-size: 13px; font-weight: 600; fill: #57606a }
    .flag.now { fill: #1a7f37 }
  </style>
  <rect class="back" width="960" height="600" rx="12"/>

  <text class="head" x="330" y="46" text-anchor="middle">source</text>
  <text class="note" x="330" y="68" text-anchor="middle">Python runs your files on the target</text>
  <text class="head" x="745" y="46" text-anchor="middle">binary</text>
  <text class="note" x="745" y="68" text-anchor="middle">the target needs no Python</text>

  <text class="head" x="66" y="196" text-anchor="middle">online</text>
  <text class="note" x="66" y="218" text-anchor="middle">the target</text>
  <text class="note" x="66" y="236" text-anchor="middle">has a network</text>
  <text class="head" x="66" y="446" text-anchor="middle">offline</text>
  <text class="note" x="66" y="468" text-anchor="middle">what you carry</text>
  <text class="note" x="66" y="486" text-anchor="middle">is all there is</text>

"""

if __name__ == "__main__":
    sys.exit(main())
