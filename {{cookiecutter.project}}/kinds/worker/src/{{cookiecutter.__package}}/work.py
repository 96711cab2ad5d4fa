"""The worker: a sample to replace by your own (docs/your-program.md).

It takes jobs from a queue in SQLite, in the folder that systemd gives the program for its data.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from .runtime.heart import Stop

IDLE_SECONDS = 0.5
"""How long to wait when there is no job."""
LEASE_SECONDS = 60.0
"""For how long a job that was taken is not taken again, unless that is renewed."""

TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY,
    seconds REAL NOT NULL,
    taken_until REAL NOT NULL DEFAULT 0,
    result TEXT
)
"""
TAKE = """
UPDATE jobs SET taken_until = :now + :lease WHERE id = (
    SELECT id FROM jobs WHERE result IS NULL AND taken_until < :now ORDER BY id LIMIT 1
) RETURNING id, seconds
"""
RENEW = "UPDATE jobs SET taken_until = ? WHERE id = ?"
DONE = "UPDATE jobs SET result = ? WHERE id = ?"


def connect(folder: str = "") -> sqlite3.Connection:
    """Open the queue; make it if there is none."""
    path = Path(folder or os.environ.get("STATE_DIRECTORY", "."), "queue.db")
    queue = sqlite3.connect(path, timeout=30, isolation_level=None)
    queue.execute(TABLE)
    return queue


def run(stop: Stop) -> None:
    """Do jobs until told to stop."""
    with closing(connect()) as queue:
        while not stop.is_set():
            if not work(queue, stop):
                stop.wait(IDLE_SECONDS)


def work(queue: sqlite3.Connection, stop: Stop) -> bool:
    """Do the next job; return whether there was one."""
    # fetch all: the statement is done, and others may take jobs, once nothing of it is left
    taken = queue.execute(TAKE, {"now": time.time(), "lease": LEASE_SECONDS}).fetchall()
    for job, seconds in taken:
        for _ in do(seconds):
            stop.beat()
            queue.execute(RENEW, [time.time() + LEASE_SECONDS, job])
        queue.execute(DONE, [f"it took {seconds:g} s", job])
    return bool(taken)


def do(seconds: float) -> Iterator[None]:
    """Do a job that takes so many seconds, and yield now and then until it is done."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))
        yield
