"""Lets a benchmark use the tests' machines; import it before them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Where the tests find what they import.
sys.path[:0] = [str(ROOT), str(ROOT / "{{cookiecutter.project}}")]
