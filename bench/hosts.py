"""How long many hosts take: 50 SSH servers on the loopback, each with releases of its own.

First a run that has nothing to do, beside a plain role-based playbook; then a switch of every host
in batches of several sizes; then what each setting brings. The hosts share this machine's
processors with Ansible. With machines of their own everything would be quicker, but never quicker
than the figure in brackets. No systemd runs on them, so that no service is started.
"""

import signal
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _fleet import START, Fleet, Taken
from _service import free_port, serving
from _sshd import hosts

MIDDLE = 10
BATCHES = {10: ("1", "3", "9"), 50: ("5", "10", "50%", "100%")}
PEERS: list[tuple[str, dict[str, bool]]] = [
    ("plain playbook, new connections", {"cold": True}),
    ("plain playbook", {}),
    ("plain playbook, our ansible.cfg", {"like_us": True}),
]
ROUNDS = {1: 3, MIDDLE: len(PEERS), 50: 1}
"""How often something is timed, by the number of hosts; a peer is timed once, in its own round."""
TUNING_ROUNDS = 2
AIM = 3
"""How many times quicker than the plain playbook a run with nothing to do must be."""
_SSH = "-o StrictHostKeyChecking=yes -o ConnectTimeout=10 -o ControlMaster"
TUNING: dict[str, dict[str, str]] = {
    "as it is": {},
    "no pipelining": {"ANSIBLE_PIPELINING": "0"},
    "5 forks": {"ANSIBLE_FORKS": "5"},
    "no connection kept": {"ANSIBLE_SSH_ARGS": f"{_SSH}=no"},
    "interpreter not looked for": {"ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3"},
}
"""Ansible's environment variables, by a name for what they change."""
Cells = dict[str, dict[str, list[Taken]]]
"""All measurements, by row and column."""


def main() -> None:
    """Print three tables, and whether the aim is reached."""
    signal.signal(signal.SIGTERM, end)
    targets = {_target(count, "100%"): (count, "100%") for count in ROUNDS}
    targets |= {_target(n, batch): (n, batch) for n, sizes in BATCHES.items() for batch in sizes}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with hosts(max(ROUNDS), place / "h") as made:
            fleet = Fleet(place, made, targets)
            no_op(fleet)
            batches(fleet)
            tuning(fleet)


def end(*_: object) -> None:
    """End with nothing left behind, as after Ctrl-C; ignore further signals."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def no_op(fleet: Fleet) -> None:
    """Time runs that have nothing to do and, in turn with them, those of the peer."""
    cells = _cells()
    with health(fleet) as url:
        fleet.peer(MIDDLE, url)
        for count, rounds in ROUNDS.items():
            for number in range(rounds):
                _ours(fleet, count, cells)
                if count == MIDDLE:
                    row, options = PEERS[number]
                    taken = fleet.peer(MIDDLE, url, **options)
                    cells[row][_hosts(MIDDLE)].append(_unchanged(taken))
    show("nothing to do", cells)
    for how in ("", ", new connections"):
        slow, quick = (
            _seconds(cells[what + how][_hosts(MIDDLE)]) for what in ("plain playbook", "deploy")
        )
        reached = "reached" if slow / quick >= AIM else "not yet"
        print(f"{reached}  {MIDDLE} hosts{how}: {slow / quick:.1f} times as quick (at least {AIM})")


def _ours(fleet: Fleet, count: int, cells: Cells) -> None:
    column, to = _hosts(count), ("--to", _target(count, "100%"))
    new = fleet.invoke("deploy.offline-source", *to, cold=True)
    again = fleet.invoke("deploy.offline-source", *to)
    cells["deploy, new connections"][column].append(new)
    cells["deploy"][column].append(again)
    cells["  of it the rollout"][column].append(again.rollout)
    cells["status"][column].append(fleet.invoke("deploy.status", *to))


def batches(fleet: Fleet) -> None:
    """Time a switch of every host in batches, as in a deployment."""
    cells = _cells()
    for count, sizes in BATCHES.items():
        for size in sizes:
            taken = fleet.invoke("deploy.rollback", "--to", _target(count, size))
            cells[f"1 + {size}"][_hosts(count)].append(taken)
            # Switch forward again, so that the next rollback starts from the same release.
            forth = ("--to", _target(count, "100%"), "--release", Fleet.NEWEST)
            fleet.invoke("deploy.rollback", *forth)
    show(f"rollback, the service takes {START} s to start", cells)


def tuning(fleet: Fleet) -> None:
    """Time the status with one setting changed at a time."""
    cells = _cells()
    column, status = _hosts(MIDDLE), ("deploy.status", "--to", _target(MIDDLE, "100%"))
    for _ in range(TUNING_ROUNDS):
        for row, variables in TUNING.items():
            cells[row][column].append(fleet.invoke(*status, variables=variables))
        with facts(fleet):
            cells["facts"][column].append(fleet.invoke(*status))
        cells["new connections"][column].append(fleet.invoke(*status, cold=True))
    show("status", cells)


@contextmanager
def health(fleet: Fleet) -> Iterator[str]:
    """Let the service of the first host run, and return the address of its health."""
    port = free_port()
    stop = serving([fleet.program], {"HOME": str(fleet.hosts.place)}, port)(0)
    try:
        yield f"http://127.0.0.1:{port}/healthz"
    finally:
        stop()


@contextmanager
def facts(fleet: Fleet) -> Iterator[None]:
    """Let the status gather facts."""
    path = fleet.project / "deploy/ansible/look.yml"
    text = path.read_text(encoding="utf-8")
    more = text.replace("gather_facts: false", "gather_facts: true")
    if more == text:
        raise SystemExit(f"{path.name} does not say that it gathers no facts")
    path.write_text(more, encoding="utf-8")
    yield
    path.write_text(text, encoding="utf-8")


def show(title: str, cells: Cells) -> None:
    """Print a line for each row: medians, and in brackets the deploying side's processor."""
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    width = max(map(len, cells))
    print(f"\n{title}, seconds (processor)\n{'':{width}}" + "".join(f"{c:>18}" for c in columns))
    for name, row in cells.items():
        print(f"{name:{width}}" + "".join(_cell(row.get(column)) for column in columns))


def _unchanged(taken: Taken) -> Taken:
    """Check that a run of the plain playbook has changed nothing on any host; return it."""
    if taken.output.count(" changed=0 ") != MIDDLE:
        raise SystemExit(f"the plain playbook changes something again:\n{taken.output}")
    return taken


def _cell(taken: list[Taken] | None) -> str:
    if not taken:
        return f"{'-':>18}"
    own = statistics.median(one.own for one in taken)
    return f"{f'{_seconds(taken):.1f} ({own:.1f})':>18}"


def _seconds(taken: list[Taken]) -> float:
    return statistics.median(one.seconds for one in taken)


def _cells() -> Cells:
    return defaultdict(lambda: defaultdict(list))


def _hosts(count: int) -> str:
    return f"{count} host" + "s" * (count > 1)


def _target(count: int, batch: str) -> str:
    return f"first-{count}-by-{batch.replace('%', '-percent')}"


if __name__ == "__main__":
    main()
