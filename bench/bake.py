"""How long a bake takes, beside cookiecutter on a template with nothing in it."""

import sys
import tempfile
from pathlib import Path

from _timing import compare, run

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 15


def main() -> None:
    """Print the table; the aim is a ratio of at most 1.5."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        empty = place / "empty"
        (empty / "{{cookiecutter.project}}").mkdir(parents=True)
        (empty / "cookiecutter.json").write_text('{"project": "my-service"}')
        cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]

        def bake(template: Path, output: str) -> None:
            run([*cookiecutter, "--output-dir", output, template], place)

        compare(
            "bake",
            {
                "empty template": lambda number: bake(empty, f"empty-{number}"),
                "this template": lambda number: bake(ROOT, f"this-{number}"),
            },
            rounds=ROUNDS,
        )


if __name__ == "__main__":
    main()
