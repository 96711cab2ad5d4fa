"""Hosts to deploy to: machines with SSH on a bridge, in network namespaces of their own."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .machine import Machine, machine

HUB = f"q-{os.getpid()}"
"""The namespace that deployments come from; the bridge is in it."""
NETWORK = "10.77.0"


@dataclass(frozen=True)
class Fleet:
    """The hosts, and what is needed to connect to them."""

    hosts: dict[str, Machine]
    folder: Path
    connections: Path
    """The folder of SSH's open connections; its path is short enough for sockets."""

    def first(self, count: int) -> "Fleet":
        """Return the first of the hosts as a fleet."""
        return replace(self, hosts=dict(list(self.hosts.items())[:count]))

    @property
    def inventory(self) -> str:
        """Return Ansible's inventory of the hosts, which is JSON and so YAML."""
        options = f"-o UserKnownHostsFile={self.folder}/known_hosts -o IdentitiesOnly=yes"
        shared = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": options,
        }
        addresses = {name: {"ansible_host": address(name)} for name in self.hosts}
        return json.dumps({"all": {"hosts": addresses, "vars": shared}})

    def know(self, *, other_key_of: str = "") -> None:
        """Write the file of known hosts, with a wrong key for the host `other_key_of`."""
        right = (self.folder / "right.pub").read_text(encoding="utf-8")
        wrong = (self.folder / "key.pub").read_text(encoding="utf-8")
        lines = (f"{address(n)} {wrong if n == other_key_of else right}" for n in self.hosts)
        (self.folder / "known_hosts").write_text("".join(lines), encoding="utf-8")

    def link(self, name: str, state: str) -> None:
        """Plug a host's cable in (`up`) or pull it out (`down`)."""
        _ip("netns", "exec", HUB, "ip", "link", "set", f"to-{name}", state)


def address(name: str) -> str:
    """Return the address of the host `hN`."""
    return f"{NETWORK}.{10 + int(name[1:])}"


@contextmanager
def fleet(count: int, folder: Path) -> Iterator[Fleet]:
    """Yield running hosts h1, h2 and so on; remove them and their network in the end."""
    folder.mkdir(parents=True)
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", ""]
    subprocess.run([*keygen, "-f", folder / "key"], check=True)
    subprocess.run([*keygen, "-f", folder / "right"], check=True)
    names = [f"h{number}" for number in range(1, count + 1)]
    with ExitStack() as stack:
        _make_hub(stack)
        hosts = {}
        for name in names:
            _make_cable(stack, name)
            made = machine("host", folder / name, network=f"/run/netns/{HUB}-{name}")
            hosts[name] = stack.enter_context(made)
            _let_in(hosts[name], folder)
        short = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
        made_fleet = Fleet(hosts, folder, Path(short))
        made_fleet.know()
        yield made_fleet


def _let_in(host: Machine, folder: Path) -> None:
    ssh = host.path("/root/.ssh")
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text((folder / "key.pub").read_text(encoding="utf-8"))
    key = host.path("/etc/ssh/ssh_host_ed25519_key")
    key.write_text((folder / "right").read_text(encoding="utf-8"))
    key.chmod(0o600)
    host.run("systemctl", "restart", "ssh")


def _make_hub(stack: ExitStack) -> None:
    _ip("netns", "add", HUB)
    stack.callback(_ip, "netns", "delete", HUB)
    inside = ("netns", "exec", HUB, "ip")
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "link", "add", "bridge", "type", "bridge")
    _ip(*inside, "address", "add", f"{NETWORK}.1/24", "dev", "bridge")
    _ip(*inside, "link", "set", "bridge", "up")


def _make_cable(stack: ExitStack, name: str) -> None:
    space = f"{HUB}-{name}"
    _ip("netns", "add", space)
    stack.callback(_ip, "netns", "delete", space)
    _ip("link", "add", f"to-{name}", "netns", HUB, "type", "veth",
        "peer", "name", "eth0", "netns", space)  # fmt: skip
    hub, host = ("netns", "exec", HUB, "ip"), ("netns", "exec", space, "ip")
    _ip(*hub, "link", "set", f"to-{name}", "master", "bridge", "up")
    _ip(*host, "address", "add", f"{address(name)}/24", "dev", "eth0")
    _ip(*host, "link", "set", "eth0", "up")
    _ip(*host, "link", "set", "lo", "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
