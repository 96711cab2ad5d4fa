"""tasks.checks.served: a program that cannot be served is refused in one line."""

import sys
from pathlib import Path

import pytest
from tasks.checks import served
from tasks.lib.console import TaskError
from tasks.lib.project import Project


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "import sys; print('noise'); sys.exit('noise\\nerror: tool.program.kind is 5')",
            "^tool.program.kind is 5$",
        ),
        ("raise SystemExit(3)", "^its import ended with exit code 3$"),
    ],
)
def test_why_it_cannot_be_served(small: Project, code: str, said: str) -> None:
    runtime = small.source / "runtime"
    runtime.mkdir()
    (runtime / "__init__.py").touch()
    program = runtime / "program.py"
    program.write_text("print('fine')")
    served.require(small, Path(sys.executable))
    program.write_text(code)
    with pytest.raises(TaskError, match=said):
        served.require(small, Path(sys.executable))
