"""How a bundle builds, installs and starts, beside other ways to bring an application to a machine.

The same application, of 28 packages, goes with stock venv and pip, with uv carried along, as pex,
as shiv, and as the bundle. A cold build is a machine's first, downloads included; before a warm one
a line of code is added. All run on the same interpreter, which only the bundle carries.
"""

import gzip
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from _application import make
from _bundle_peers import PEERS, Peer, This
from _service import serving

MEGABYTE = 1_000_000
WARM_BUILDS = 3
INSTALLATIONS = 3
STARTS = 9
COLUMNS = {
    "build": "first build",
    "again": "build again",
    "size": "carried",
    "environment": "environment",
    "install": "installation",
    "first": "first start",
    "start": "later starts",
}
AIMS = [
    ("environment, times quicker than venv and pip", "environment", "venv + pip", True, 12),
    ("environment, times quicker than uv with bytecode", "environment", "venv + uv", True, 3),
    ("build again, seconds", "again", "", False, 2.5),
    ("carried, MB", "size", "", False, 22),
    ("later starts, times as quick as a plain environment", "start", "venv + pip", True, 0.95),
]
"""For each aim its text, column, peer (or none), whether it is a lower bound, and that bound."""
Figures = dict[str, dict[str, float]]
"""The figure of each peer, by column and peer."""
Taken = dict[str, dict[str, list[float]]]
"""All measurements, by column and peer."""


def main() -> None:
    """Print the table, the parts of the bundle, and the aims."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)  # a user without rights installs there
        app = make(place)
        peers: dict[str, Peer] = {}
        for name, kind in PEERS.items():
            own = place / name.replace(" ", "")
            own.mkdir()
            peers[name] = kind(app, own)
        figures = measure(peers, app.change)
        print_table(peers, figures)
        bundle = This(app, place / "this").unpacked(place / "unpacked")
        print_parts(bundle, figures["size"]["this"])
        print_aims(figures)


def measure(peers: dict[str, Peer], change: Callable[[int], None]) -> Figures:
    """Return the figures; medians where something is done more than once."""
    taken: Taken = defaultdict(lambda: defaultdict(list))
    time_builds(peers, change, taken)
    for name, peer in peers.items():
        taken["size"][name].append(sum(p.stat().st_size for p in peer.output.iterdir()) / MEGABYTE)
    time_installations(peers, taken)
    return {
        column: {name: statistics.median(times) for name, times in by_peer.items()}
        for column, by_peer in taken.items()
    }


def time_builds(peers: dict[str, Peer], change: Callable[[int], None], taken: Taken) -> None:
    """Build from nothing, then after a change."""
    for name, peer in peers.items():
        taken["build"][name].append(seconds(peer.build))
    for number in range(WARM_BUILDS):
        change(number)
        for name, peer in peers.items():
            taken["again"][name].append(seconds(peer.build))


def time_installations(peers: dict[str, Peer], taken: Taken) -> None:
    """Make environments; install and start; start again.

    Nothing is removed between: ext4 makes files slowly where many were deleted a minute ago.
    """
    for _ in range(INSTALLATIONS):
        for name, peer in peers.items():
            if peer.has_environment:
                taken["environment"][name].append(seconds(peer.environment(peer.folder())))
    services = {}
    for number in range(INSTALLATIONS):
        for name, peer in peers.items():
            folder = peer.folder()
            start = time.perf_counter()
            command = peer.install(folder)
            taken["install"][name].append(time.perf_counter() - start)
            # A new home, where pex and shiv unpack to.
            services[name] = serving(command, {"HOME": str(peer.folder())})
            taken["first"][name].append(started(services[name], number))
    for number in range(STARTS):
        for name, service in services.items():
            taken["start"][name].append(started(service, number))


def started(service: Callable[[int], Callable[[], None]], number: int) -> float:
    """Start a service, end it, and return the seconds to its first answer."""
    start = time.perf_counter()
    stop = service(number)
    taken = time.perf_counter() - start
    stop()
    return taken


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def print_table(peers: dict[str, Peer], figures: Figures) -> None:
    """Print a line for each peer; behind each figure stands its ratio to the bundle's."""
    print(f"{'':12}" + "".join(f"{title:>18}" for title in COLUMNS.values()))
    for name, peer in peers.items():
        cells = [cell(figures[column], name, "MB" if column == "size" else "s ")
                 for column in COLUMNS]  # fmt: skip
        python = "" if peer.carries_python else "  (the machine must have its Python)"
        print(f"{name:12}{''.join(cells)}{python}")


def cell(figures: dict[str, float], name: str, unit: str) -> str:
    """Return a figure and its ratio, 18 letters wide."""
    if name not in figures:
        return f"{'-':>18}"
    return f"{figures[name]:7.2f} {unit} {figures[name] / figures['this']:6.2f}x"


def print_parts(bundle: Path, whole: float) -> None:
    """Print what a bundle's size comes from, each part packed alone."""
    parts: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(bundle.rglob("*")):
        if path.is_file():
            parts[part(path.relative_to(bundle))].append(path)
    sizes = {name: packed(paths) for name, paths in parts.items()}
    print(f"\nparts of {whole:.2f} MB, packed as they are carried")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"  {name:48}{size:6.2f} MB")


def part(path: Path) -> str:
    """Return the name of the part that a file of the bundle belongs to."""
    if path.suffix == ".whl":
        return "wheels, as the index gives them"
    if path.suffix in {".pyc", ".xz"}:
        return "bytecode of wheels and standard library"
    if not path.parts[0].startswith("Python"):
        return "source, scripts, checksums"
    if "glibc" in path.parts:
        return "glibc, for machines with an older one or none"
    if ".so" in path.name or path.parts[1] == "bin":
        return "interpreter: native code"
    return "interpreter: standard library, certificates, …"


def packed(paths: Iterable[Path]) -> float:
    """Return the megabytes that files take in the bundle."""
    return len(gzip.compress(b"".join(path.read_bytes() for path in paths), 9)) / MEGABYTE


def print_aims(figures: Figures) -> None:
    """Print each aim, and what was reached."""
    print("\naims")
    for what, column, peer, least, limit in AIMS:
        own = figures[column]["this"]
        value = figures[column][peer] / own if peer else own
        reached = value >= limit if least else value <= limit
        bound = f"at {'least' if least else 'most'} {limit:g}"
        print(f"  {'reached' if reached else 'not yet'}  {what}: {value:.2f} ({bound})")


if __name__ == "__main__":
    main()
