"""What every build has in common, whatever the quadrant."""

from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
"""Scripts that another Python runs, in an environment or in what was built."""
