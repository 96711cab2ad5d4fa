"""Asks a service again and again until told to stop, and counts what fails. Standard library only.

    load.py HOST:PORT WORKERS SECONDS PAUSE close|keep-alive

Each of the WORKERS waits up to PAUSE seconds before it asks again: without a pause they would take
the processors from what is tested. All end with the standard input, or after SECONDS; then a JSON
object is printed.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections import Counter

PATH = "/"
PATIENCE = 30.0
"""Seconds after which a request without an answer has failed."""


class Caller:
    """One client that asks again and again."""

    def __init__(self, address: str, *, keep: bool) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=PATIENCE)
        self.keep = keep
        self.releases: Counter[str] = Counter()
        self.failures: list[str] = []
        self.longest = 0.0

    def ask(self) -> None:
        """Make one request; reconnect first if the server has announced to close the connection."""
        start = time.monotonic()
        try:
            self.connection.request(
                "GET", PATH, headers={} if self.keep else {"Connection": "close"}
            )
            response = self.connection.getresponse()
            body = json.loads(response.read())
            if response.status == 200:
                self.releases[body["release"]] += 1
            else:
                self.failures.append(f"status {response.status}")
            if not self.keep:
                self.connection.close()
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            self.connection.close()
            time.sleep(0.01)
        self.longest = max(self.longest, time.monotonic() - start)


def watch(ended: threading.Event) -> None:
    """Set `ended` when the standard input ends."""
    sys.stdin.read()
    ended.set()


def main(address: str, workers: str, seconds: str, pause: str, mode: str) -> None:
    """Run the callers and print what they saw."""
    ended = threading.Event()
    callers = [Caller(address, keep=mode == "keep-alive") for _ in range(int(workers))]

    def work(caller: Caller) -> None:
        while not ended.is_set():
            caller.ask()
            time.sleep(random.uniform(0, float(pause)))  # noqa: S311 (nothing is kept secret by it)

    threads = [threading.Thread(target=work, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    threading.Thread(target=watch, args=(ended,), daemon=True).start()
    ended.wait(float(seconds))
    ended.set()
    for thread in threads:
        thread.join()
    releases: Counter[str] = sum((caller.releases for caller in callers), Counter())
    failures = [failure for caller in callers for failure in caller.failures]
    longest = max(caller.longest for caller in callers)
    print(json.dumps({
        "requests": sum(releases.values()) + len(failures),
        "failed": len(failures),
        "failures": failures[:5],
        "releases": releases,
        "longest": round(longest, 3),
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
