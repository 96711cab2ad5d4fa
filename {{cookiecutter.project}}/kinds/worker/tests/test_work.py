"""The sample's own tests: replace them together with the sample."""

import importlib
import threading
import tomllib
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

SETTINGS = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))


class Stop:
    """Stop the worker at its first wait: then there are no more jobs."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.beats = 0

    def is_set(self) -> bool:
        return self.told.is_set()

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.told.set()
        return True

    def beat(self) -> None:
        self.beats += 1


@pytest.fixture
def work() -> ModuleType:
    """Return the module under test."""
    return importlib.import_module(SETTINGS["tool"]["program"]["run"].partition(":")[0])


def test_jobs_are_done_in_order(
    work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    stop = Stop()
    with closing(work.connect()) as queue:
        queue.executemany("INSERT INTO jobs (seconds) VALUES (?)", [[0.0], [0.01]])
        work.run(stop)
        results = queue.execute("SELECT result FROM jobs ORDER BY id").fetchall()
    assert results == [("it took 0 s",), ("it took 0.01 s",)]
    assert stop.beats == 1


def test_a_job_that_is_taken_is_nobody_elses(work: ModuleType, tmp_path: Path) -> None:
    with closing(work.connect(str(tmp_path))) as queue:
        queue.execute("INSERT INTO jobs (seconds) VALUES (0)")
        queue.execute(work.TAKE, {"now": 1000.0, "lease": 60.0}).fetchall()
        again = queue.execute(work.TAKE, {"now": 1059.0, "lease": 60.0}).fetchall()
        late = queue.execute(work.TAKE, {"now": 1061.0, "lease": 60.0}).fetchall()
    assert (again, late) == ([], [(1, 0.0)])
