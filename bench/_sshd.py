"""Hosts that are all this machine: each is an SSH server of its own on the loopback."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from _timing import run

ADDRESS = "127.0.0.1"
_CONFIG = """\
ListenAddress {address}
Port {port}
HostKey {folder}/host-key
AuthorizedKeysFile {key}.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PidFile none
LogLevel ERROR
SetEnv HOME={folder}
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Host:
    """One host."""

    name: str
    port: int
    folder: Path
    """Everything that is installed on it lies below this folder."""


@dataclass(frozen=True)
class Hosts:
    """All hosts, and what connecting to them takes."""

    all: list[Host]
    place: Path
    connections: Path
    """SSH keeps connections open there; the path of such a socket has to be short."""

    def inventory(self, count: int) -> str:
        """Return Ansible's inventory of the first `count`, which is JSON and so YAML."""
        options = f"-o UserKnownHostsFile={self.place}/known_hosts -o IdentitiesOnly=yes"
        shared = {
            "ansible_host": ADDRESS,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.place / "key"),
            "ansible_ssh_common_args": options,
        }
        own = {
            host.name: {
                "ansible_port": host.port,
                "ansible_remote_tmp": str(host.folder / "tmp"),
                "deploy_prefix": str(host.folder),
            }
            for host in self.all[:count]
        }
        return json.dumps({"all": {"hosts": own, "vars": shared}})

    def disconnect(self) -> None:
        """End the connections that are kept open."""
        for socket_file in self.connections.glob("*"):
            run(["ssh", "-o", f"ControlPath={socket_file}", "-O", "exit", ADDRESS], self.place)


@contextmanager
def hosts(count: int, place: Path) -> Iterator[Hosts]:
    """Return `count` hosts that listen; their servers end with this, or with this process."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not server:
        raise SystemExit("there is no sshd here: it is in Debian's openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd needs this folder, owned by root
    place.mkdir(parents=True)
    _make_key(place / "key")
    known = []
    made = []
    with ExitStack() as stack:
        for number, port in enumerate(_free_ports(count), 1):
            host = Host(f"h{number:02}", port, place / f"h{number:02}")
            host.folder.mkdir()
            _make_key(host.folder / "host-key")
            public = (host.folder / "host-key.pub").read_text(encoding="utf-8")
            known.append(f"[{ADDRESS}]:{port} {public}")
            made.append(host)
            stack.callback(_end, _start(server, host, place))
        (place / "known_hosts").write_text("".join(known), encoding="utf-8")
        for host in made:
            _await(host)
        given = Hosts(made, place, place / "c")
        stack.callback(given.disconnect)
        yield given


def _make_key(path: Path) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], path.parent)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((ADDRESS, 0))
        return [probe.getsockname()[1] for probe in probes]


def _start(server: str, host: Host, place: Path) -> subprocess.Popen[bytes]:
    config = host.folder / "sshd_config"
    text = _CONFIG.format(address=ADDRESS, port=host.port, folder=host.folder, key=place / "key")
    config.write_text(text, encoding="utf-8")
    # Its sessions are in its process group too. It ends even where this process is killed.
    command = ["setpriv", "--pdeathsig", "TERM", server, "-D", "-e", "-f", str(config)]
    with (host.folder / "sshd.log").open("wb") as log:
        return subprocess.Popen(command, stderr=log, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _await(host: Host) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((ADDRESS, host.port)):
            return
        time.sleep(0.01)
    raise SystemExit(f"sshd does not listen: {(host.folder / 'sshd.log').read_text('utf-8')}")
