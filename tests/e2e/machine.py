"""Machines to install on: pristine Debian systems of their own, without a network.

Each is an overlay over a root that is made once and kept in the user's cache. It has its own
processes, mounts and network, which holds nothing but a loopback interface; `booted` runs systemd
as its first process.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import cache

TOOLS = ("busybox", "mmdebstrap", "systemd-nspawn", "nsenter", "unshare", "dnf", "rpm", "ip")
"""The commands that a host must have; install-packages.sh brings them."""
BOOT_SECONDS = 60.0
CGROUPS = tuple(Path("/sys/fs/cgroup", name) for name in ("systemd", "unified", ""))
"""Where the cgroup hierarchy in which systemd manages services may be mounted."""
LIFE_SECONDS = "3600"
"""How long a machine runs that no test stops."""

Result = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Recipe:
    """What a pristine root is made of."""

    suite: str
    """The suite of Debian; empty for a system with nothing but this host's busybox."""
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = field(default=("--variant=minbase",), repr=False)
    """The options of mmdebstrap."""

    @property
    def key(self) -> str:
        """A digest of the recipe, which names the root that is made from it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:8]


RECIPES = {
    "systemd": Recipe("bookworm", ("dbus", "strace", "systemd", "systemd-sysv")),
    "dnf": Recipe("bookworm", ("dbus", "dnf", "rpm", "systemd", "systemd-sysv")),
    # Here plain users can have a systemd of their own, and check signatures.
    "user": Recipe(
        "bookworm",
        ("dbus", "dbus-user-session", "libpam-systemd", "openssh-client", "strace", "systemd",
         "systemd-sysv"),
    ),
    # Has what Ansible needs on a host, and what it sets up there.
    "host": Recipe(
        "bookworm",
        ("dbus", "git", "nftables", "openssh-server", "python3-venv", "systemd", "systemd-sysv",
         "systemd-timesyncd", "tzdata"),
    ),
    "plain": Recipe("bookworm"),
    "old": Recipe("bullseye"),
    "busybox": Recipe(""),
    # Not run as a machine: holds what a Python of another architecture needs.
    "arm64": Recipe(
        "trixie",
        ("python3.13",),
        ("--variant=extract", "--architectures=arm64", '--extract-hook=ln -s usr/lib "$1/lib"'),
    ),
}  # fmt: skip


def pristine(kind: str) -> Path:
    """Return the root of a kind; make it first (half a minute) if it does not exist yet."""
    recipe = RECIPES[kind]
    roots = cache() / "roots"
    roots.mkdir(parents=True, exist_ok=True)
    root = roots / f"{kind}-{recipe.key}"
    with (roots / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            unfinished = roots / f".{kind}"
            subprocess.run(["rm", "-rf", unfinished], check=True)
            if recipe.suite:
                include = [f"--include={','.join(recipe.packages)}"] if recipe.packages else []
                command = ["mmdebstrap", "--quiet", *recipe.options, *include, recipe.suite]
                subprocess.run([*command, unfinished], check=True)
            else:
                _make_busybox_root(unfinished)
            unfinished.rename(root)
    return root


def _make_busybox_root(root: Path) -> None:
    for name in ("bin", "dev", "etc", "opt", "proc", "root", "run", "srv", "var"):
        (root / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp", "dev/shm"):
        (root / name).mkdir()
        (root / name).chmod(0o1777)
    busybox = shutil.which("busybox") or ""
    shutil.copy(busybox, root / "bin")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in set(applets.stdout.split()) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
        os.mknod(root / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        (root / "dev" / name).chmod(0o666)


@dataclass
class Machine:
    """A copy of a pristine root; make it with `machine`."""

    folder: Path
    booted: bool
    network: str = ""
    """The path of its network namespace; empty: a private one, with nothing but loopback."""
    root: Path = field(init=False)
    _holder: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _leader: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.root = self.folder / "root"

    def start(self) -> None:
        """Switch it on."""
        if self.booted:
            # With this capability the machine can have a firewall in its network.
            network = (f"--network-namespace-path={self.network}", "--capability=CAP_NET_ADMIN")
            command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
                       *(network if self.network else ("--private-network",)),
                       "--console=pipe", "-D", str(self.root)]  # fmt: skip
            command = self._in_cgroups_of_its_own(command)
        else:
            inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" sleep "$1"'
            command = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc",
                       "--net", "sh", "-c", inside, str(self.root), LIFE_SECONDS]  # fmt: skip
        with (self.folder / "console").open("ab") as console:
            self._holder = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        self._wait_until(self._has_leader, "start")
        if self.booted:
            self._wait_until(self._is_up, "boot")
        else:
            self._wait_until(lambda: self.run("true", check=False).returncode == 0, "start")
            subprocess.run([*self._enter("--net"), "ip", "link", "set", "lo", "up"], check=True)

    def stop(self) -> None:
        """Switch it off the hard way, as a power cut does; what was written stays."""
        if self._holder is not None:
            subprocess.run(["kill", "-9", str(self._leader)], check=False)
            self._holder.kill()
            self._holder.wait()
            self._holder = None

    def run(
        self, *command: str | Path, check: bool = True, seconds: float = 120, stdin: str = ""
    ) -> Result:
        """Run a command in it, as root."""
        argv = [*self._enter("--all", "--root", "--wd"), *map(str, command)]
        result = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=seconds, env=_environ(),
            check=False,
        )  # fmt: skip
        if check and result.returncode != 0:
            said = f"{result.stdout}\n{result.stderr}"
            raise AssertionError(f"{' '.join(map(str, command))} -> {result.returncode}\n{said}")
        return result

    def sh(self, script: str, *, check: bool = True, seconds: float = 120) -> Result:
        """Run a shell script in it, as root."""
        return self.run("sh", "-c", script, check=check, seconds=seconds)

    def background(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command in it; the caller waits for it and reads its output."""
        argv = [*self._enter("--all", "--root", "--wd"), *map(str, command)]
        return _popen(argv)

    def beside(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command of this host in the machine's network namespace."""
        return _popen([*self._enter("--net"), *map(str, command)])

    def in_its_numbers(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command of this host in the machine's process namespace."""
        return _popen([*self._enter("--pid"), *map(str, command)])

    def path(self, inside: str) -> Path:
        """Return a path of the machine as a path on this host."""
        return self.root / inside.lstrip("/")

    def put(self, source: Path, folder: str = "/root") -> str:
        """Copy a file or a folder of this host into it, and return its path there."""
        target = self.path(folder) / source.name
        subprocess.run(["cp", "-R", source, target], check=True)
        return f"{folder}/{source.name}"

    def read(self, inside: str) -> str:
        """Return the text of one of its files."""
        return self.path(inside).read_text(encoding="utf-8")

    def read_live(self, inside: str) -> str:
        """Return the text of a file that the kernel makes, such as one below /proc."""
        return self.run("cat", inside).stdout

    def reach(self, address: str) -> str:
        """Try to connect to an address from its network; return the system's error, if any."""
        script = (
            "import socket\n"
            "try:\n"
            f"    socket.create_connection(({address!r}, 80), timeout=5)\n"
            "except OSError as error:\n"
            "    print(error.strerror)\n"
        )
        said, _ = self.beside(sys.executable, "-c", script).communicate(timeout=20)
        return said.strip()

    def _cgroups(self) -> list[Path]:
        name = f"quadrant-{hashlib.sha256(bytes(self.folder)).hexdigest()[:12]}"
        return [root / name for root in CGROUPS if (root / "cgroup.procs").exists()]

    def _in_cgroups_of_its_own(self, command: list[str]) -> list[str]:
        # In a cgroup that several machines share, each systemd would find processes of the other
        # machines' services, which it does not know and cannot end.
        enter = 'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
        for group in self._cgroups():
            group.mkdir(exist_ok=True)
        return ["sh", "-euc", enter, "sh", *map(str, self._cgroups()), "--", *command]

    def remove_cgroups(self) -> None:
        """Remove what the machine left in the host's cgroup hierarchies."""
        groups = [group for group in self._cgroups() if group.exists()]
        end = time.monotonic() + BOOT_SECONDS
        while groups and time.monotonic() < end:  # the last processes may still be ending
            for group in groups:
                for folder in sorted([group, *group.rglob("*/")], reverse=True):
                    with suppress(OSError):
                        folder.rmdir()
            groups = [group for group in groups if group.exists()]
            time.sleep(0.01)

    def _enter(self, *what: str) -> list[str]:
        return ["nsenter", f"--target={self._leader}", *what, "--"]

    def _has_leader(self) -> bool:
        assert self._holder is not None
        pid = self._holder.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        self._leader = int(children[0]) if children else 0
        return bool(children)

    def _is_up(self) -> bool:
        self._has_leader()  # again, since systemd-nspawn's first child only starts the leader
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}

    def _wait_until(self, happened: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + BOOT_SECONDS
        while not happened():
            if time.monotonic() > end or (self._holder and self._holder.poll() is not None):
                console = (self.folder / "console").read_text(errors="replace")
                raise AssertionError(f"the machine did not {what}:\n{console[-2000:]}")
            time.sleep(0.05)


@contextmanager
def machine(kind: str, folder: Path, network: str = "") -> Iterator[Machine]:
    """Yield a running copy of a pristine root; in the end stop it, and remove all its files."""
    folder.mkdir(parents=True)
    # In memory: what tests write is thrown away, and their syncs flush nothing else on this host.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g,mode=0755", "tmpfs", folder], check=True)
    made = Machine(folder, "systemd" in RECIPES[kind].packages, network)
    try:
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        layers = f"lowerdir={pristine(kind)},upperdir={folder}/upper,workdir={folder}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", made.root], check=True)
        if made.booted:
            _mask_generators(made)
        made.start()
        yield made
    finally:
        try:
            made.stop()
            made.remove_cgroups()
        finally:
            for mounted in (made.root, folder):
                subprocess.run(["umount", "--lazy", mounted], check=False, capture_output=True)
            folder.rmdir()


def _mask_generators(machine: Machine) -> None:
    """Let systemd make no units from what it finds, as from kernel options and disk partitions.

    A machine has none of that, and each reload would start a dozen processes to look for it.
    """
    for kind in ("system", "user"):
        masks = machine.path(f"/etc/systemd/{kind}-generators")
        masks.mkdir(parents=True)
        for generator in machine.path(f"/usr/lib/systemd/{kind}-generators").iterdir():
            (masks / generator.name).symlink_to("/dev/null")


def _popen(argv: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=_environ(),
    )  # fmt: skip


def _environ() -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
