"""What callers notice of upgrades, rollbacks and broken releases: 500 of them, of every kind.

It needs root, see tests/e2e/machine.py. BENCH_OLD may name a folder in which another engine has
published 0.1.0/ and 0.2.0/, each with a .deb and a .tar.gz: then it also times that engine's
upgrades.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _paths import ROOT

from tests.e2e.faults import ADMIN, activate, order
from tests.e2e.machine import Machine, machine
from tests.e2e.releases import NAME, Releases
from tests.e2e.service import active
from tests.e2e.test_gap import BROKEN, Crowd, Seen, of, serves
from tests.support import commit, run

CROWD = {"keep": 340, "close": 80, "slow": 20, "pieces": 20, "half": 40}
SLOW_SECONDS = 15
SWITCHES = int(os.environ.get("BENCH_SWITCHES", "20"))
QUIET_SECONDS = 10
ROUNDS = 5
"""Upgrades that are timed, in each way and by each engine."""


def main() -> None:
    """Print what callers saw, and how long upgrades took."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        releases = Releases(bake(place), place / "releases")
        with machine("systemd", place / "switches") as made:
            serves(made, releases)
            switches(made)
        upgrades(place, releases)


def bake(place: Path) -> Path:
    """Bake a project, and commit it."""
    (place / "cookiecutter.yaml").write_text(
        f"replay_dir: '{place}/replay'\ncookiecutters_dir: '{place}/clones'\n"
    )
    command: list[str | Path] = [sys.executable, "-m", "cookiecutter", "--no-input"]
    config: list[str | Path] = ["--config-file", place / "cookiecutter.yaml", "--output-dir", place]
    run([*command, *config, ROOT, f"project={NAME}"], cwd=place)
    commit(place / NAME)
    return place / NAME


def switches(made: Machine) -> None:
    """Let the crowd ask while nothing happens, over good releases, and over broken ones."""
    crowd = Crowd(made, CROWD, SLOW_SECONDS)
    time.sleep(QUIET_SECONDS)
    show("nothing happens", crowd.end(), [])

    crowd, phases = Crowd(made, CROWD, SLOW_SECONDS), list[tuple[str, float, float]]()
    for _ in range(SWITCHES // 2):
        with noted(phases, "upgrade"):
            must(activate(made, "/srv/0.6.1", seconds=200).returncode == 0)
        with noted(phases, "rollback"):
            made.run(ADMIN, "rollback", seconds=200)
    show(f"{SWITCHES} upgrades and rollbacks", crowd.end(), phases)

    crowd, phases = Crowd(made, CROWD, SLOW_SECONDS), []
    for what in (*BROKEN, "die"):
        order(made, v061=what)
        with noted(phases, what):
            must(activate(made, "/srv/0.6.1", seconds=200).returncode == 1)
    seen = crowd.end()
    show(f"{len(phases)} broken releases", seen, phases)
    print(f"  answers of a broken release: {len(seen['releases']) - 1 + of(seen, '0.6.1')}")
    must(active(made) == "0.6.0")


def must(is_so: bool) -> None:
    """End the benchmark where something is not as it should be."""
    if not is_so:
        raise SystemExit("a switch did not end as it should")


@contextmanager
def noted(phases: list[tuple[str, float, float]], what: str) -> Iterator[None]:
    """Note when something began and ended."""
    begun = time.monotonic()
    yield
    phases.append((what, begun, time.monotonic()))


def show(title: str, seen: Seen, phases: list[tuple[str, float, float]]) -> None:
    """Print what a crowd saw."""
    asked = sum(seen["requests"].values())
    print(f"{title}: {asked} requests {seen['requests']}, {seen['failed']} failed")
    for failure in seen["failures"]:
        print(f"  {failure}")
    waits = {name: seen[name] * 1000 for name in ("median", "p99", "longest")}
    shown = ", ".join(f"{name} {wait:.0f} ms" for name, wait in waits.items())
    print(f"  waits: {shown} (callers themselves late by up to {seen['late'][1] * 1000:.0f} ms)")
    if phases:
        took = statistics.median(end - begin for _, begin, end in phases)
        print(f"  a switch took {took:.1f} s")
        for begun, wait in seen["longest_waits"][:8]:
            during = [(what, begun - begin) for what, begin, end in phases if begin <= begun <= end]
            where = f"{during[0][1]:.2f} s after a {during[0][0]} began" if during else "between"
            print(f"  {wait * 1000:.0f} ms, {where}")


def upgrades(place: Path, releases: Releases) -> None:
    """Time upgrades on machines that have nothing else to do, in turn."""
    engines = {"this engine": releases["old"].deb.parents[1]}
    must(releases["new"].deb.is_file())
    if old := os.environ.get("BENCH_OLD"):
        engines["the other engine"] = Path(old)
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        for engine, folder in engines.items():
            for way, install in WAYS.items():
                with machine("systemd", place / f"{number}-{engine}-{way}") as made:
                    install(made, folder / "0.1.0")
                    begun = time.perf_counter()
                    install(made, folder / "0.2.0")
                    taken.setdefault((way, engine), []).append(time.perf_counter() - begun)
                    must(active(made) == "0.2.0")
    for (way, engine), times in taken.items():
        middle = statistics.median(times)
        print(
            f"an upgrade by {way}, {engine}: {middle:.2f} s ({min(times):.2f} to {max(times):.2f})"
        )


def _by_deb(made: Machine, folder: Path) -> None:
    (package,) = folder.glob("*.deb")
    made.run("dpkg", "--install", made.put(package))


def _by_archive(made: Machine, folder: Path) -> None:
    (archive,) = folder.glob("*.tar.gz")
    inside = made.put(archive)
    made.sh(f"mkdir /srv/{folder.name} && tar -xzf {inside} -C /srv/{folder.name}"
            f" --strip-components=1 && /srv/{folder.name}/install")  # fmt: skip


WAYS: dict[str, Callable[[Machine, Path], None]] = {"dpkg": _by_deb, "archive": _by_archive}

if __name__ == "__main__":
    main()
