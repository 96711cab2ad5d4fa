"""`hosts.setup` on a host over SSH: what it changes, and what it leaves alone.

The host has no network but the bridge, so packages are never installed: the task finds them there,
or names those that are missing.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Bake
from tests.support import run

from .bundles import install
from .fleet import HUB, NETWORK, Fleet, address, fleet
from .machine import Machine, Result
from .releases import NAME, Releases, invoke
from .service import active, history, status

OPTIONS: dict[str, Any] = {
    "deploy_listen": "0.0.0.0:8081",
    "deploy_firewall": "nftables",
    "deploy_open_files": 12345,
    "deploy_processes": 321,
    "deploy_time_zone": "Europe/Zurich",
    "deploy_log_size": "50M",
    "deploy_log_age": "14days",
}
FIREWALL = """\
flush ruleset
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
        ct state established,related accept
        tcp dport 22 accept
    }
}
"""
LISTEN = f"/etc/systemd/system/{NAME}.socket.d/listen.conf"
OPENING = f"/etc/{NAME}/opening.nft"


class Setup:
    """Calls the task for a fleet, with variables of its inventory."""

    def __init__(self, folder: Path, hosts: Fleet) -> None:
        self.folder = folder
        self.hosts = hosts
        settings = folder / "invoke.yaml"
        text = settings.read_text(encoding="utf-8")
        for name, quadrant in (("fleet", "offline-source"), ("builders", "online-source")):
            target = f"    {name}:\n      inventory: deploy/inventory/fleet.yml\n"
            text = text.replace(
                "  targets:\n", f"  targets:\n{target}      quadrant: {quadrant}\n", 1
            )
        settings.write_text(text, encoding="utf-8")

    def __call__(
        self, *options: str, to: str = "fleet", code: int = 0, ghost: str = "", **variables: object
    ) -> Result:
        """Run the task where the host can be reached; `ghost` is a host that cannot."""
        inventory = json.loads(self.hosts.inventory)
        inventory["all"]["vars"] |= variables
        if ghost:
            inventory["all"]["hosts"] = {ghost: {"ansible_host": f"{NETWORK}.99"}} | inventory[
                "all"
            ]["hosts"]
        path = self.folder / "deploy/inventory/fleet.yml"
        path.write_text(json.dumps(inventory), encoding="utf-8")
        command = ["ip", "netns", "exec", HUB, sys.executable, "-m", "invoke", "hosts.setup"]
        connections = {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.hosts.connections)}
        environment = {**os.environ, **connections}
        return run([*command, "--to", to, *options], cwd=self.folder, env=environment, code=code)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return one host, whose time service is disabled."""
    with fleet(1, tmp_path_factory.mktemp("fleet") / "f") as made:
        made.hosts["h1"].run("systemctl", "disable", "systemd-timesyncd")
        yield made


@pytest.fixture(scope="module")
def host(hosts: Fleet) -> Machine:
    """Return the host."""
    return hosts.hosts["h1"]


@pytest.fixture(scope="module")
def folder(bake: Bake) -> Path:
    """Return a project in which Ansible's environment was made while there was a network."""
    made = bake(git=True, project=NAME)
    invoke(made, "hosts.compare")
    return made


@pytest.fixture(scope="module")
def setup(folder: Path, hosts: Fleet) -> Setup:
    """Return a function that sets the host up."""
    return Setup(folder, hosts)


def line(said: Result, host: str = "h1") -> str:
    """Return what the closing block says of a host."""
    block = said.stdout.rsplit("\n\n", 1)[-1]
    [words] = re.findall(rf"^  {host} +(.+)$", block, re.MULTILINE)
    return str(words)


def changed(said: Result) -> set[str]:
    """Return the names of the tasks that changed something."""
    return set(re.findall(r"^  - h1: (.+)$", said.stdout, re.MULTILINE))


def state(host: Machine) -> str:
    """Return everything that a setup could change."""
    listing = "find /etc /opt /var/lib -printf '%p %M %u %g %l %T@\n' | sort; nft list ruleset"
    return host.sh(f"{listing}; systemctl list-unit-files --no-pager").stdout


def reached(port: int) -> bool:
    """Return whether the service answers another machine."""
    script = (
        "import sys, urllib.request as r\n"
        "opener = r.build_opener(r.ProxyHandler({}))\n"
        f"opener.open('http://{address('h1')}:{port}/readyz', timeout=3).read()\n"
    )
    asked = ["ip", "netns", "exec", HUB, sys.executable, "-c", script]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_a_check_of_a_fresh_host_changes_nothing(setup: Setup, host: Machine) -> None:
    before = state(host)
    said = setup("--check", to="builders", **OPTIONS)
    assert re.fullmatch(r"\d\d changes to make", line(said))
    assert "+LimitNOFILE=12345" in said.stdout
    assert "+insert rule inet filter input tcp dport 8081 accept" in said.stdout
    packages = "Install missing packages (check only): "
    [named] = [name for name in changed(said) if name.startswith(packages)]
    assert {"build-essential", "libssl-dev"} < set(named.split()), "releases are built there"
    assert state(host) == before


def test_a_fresh_host_and_again(setup: Setup, host: Machine) -> None:
    assert re.fullmatch(r"\d\d changes made", line(setup(**OPTIONS)))
    owners = "stat -c '%n %A %U:%G' /opt/* /etc/my-service /var/lib/my-service"
    assert host.sh(owners).stdout.splitlines() == [
        "/opt/my-service drwxr-xr-x root:root",
        "/etc/my-service drwxr-xr-x root:root",
        "/var/lib/my-service drwxr-x--- my-service:my-service",
    ]
    user = host.run("getent", "passwd", NAME).stdout.strip().split(":")
    assert int(user[2]) < 1000
    assert user[5:] == ["/var/lib/my-service", "/usr/sbin/nologin"]
    assert host.run("date", "+%Z", "--date=2026-01-01").stdout == "CET\n"
    assert host.read("/etc/timezone") == "Europe/Zurich\n"
    assert host.run("systemctl", "is-enabled", "systemd-timesyncd").stdout == "enabled\n"
    journal = host.sh("journalctl --output=cat --unit=systemd-journald | grep 'System Journal'")
    assert "max 50.0M" in journal.stdout.splitlines()[-1]
    assert (
        "MaxRetentionSec=14days"
        in host.run("systemd-analyze", "cat-config", "systemd/journald.conf").stdout.splitlines()
    )
    assert host.run("nft", "list", "ruleset").stdout == "", "no firewall was switched on"
    before = state(host)
    again = setup(**OPTIONS)
    assert line(again) == "nothing to change", "a release is built elsewhere"
    assert not changed(again)
    assert state(host) == before


def test_a_release_is_installed_into_it(setup: Setup, host: Machine, releases: Releases) -> None:
    host.path("/etc/nftables.conf").write_text(FIREWALL, encoding="utf-8")
    host.run("systemctl", "start", "nftables")
    assert "Reload the firewall" in changed(setup(**OPTIONS))
    release = releases["old"]
    install(host, release)
    assert active(host) == release.version
    assert reached(8081)
    pid = host.run("systemctl", "show", "--value", "--property=MainPID", NAME).stdout.strip()
    assert re.search(r"^Max open files +12345 +12345 ", host.read_live(f"/proc/{pid}/limits"), re.M)
    assert "TasksMax=321\n" in host.run("systemctl", "show", NAME).stdout
    there = setup("--check", to="builders", deploy_python="/usr/bin/python3", **OPTIONS)
    assert line(there) == "nothing to change", "Git is there already"

    # Change the port of the socket and of the firewall: the release on trial stays.
    host.sh(
        "mkdir /root/settings && echo MY_SERVICE_LOG_LEVEL=warning >/root/settings/my-service.env"
        f" && {NAME}-admin activate --to {release.version} --settings /root/settings"
    )
    assert status(host)["trial"]
    moved = setup(**OPTIONS | {"deploy_listen": "[::]:8082"})
    assert "Restart the open socket" in changed(moved)
    assert reached(8082)
    assert not reached(8081)
    assert [event[1] for event in history(host)] == ["active", "active"]
    # Change a limit, where another host is out of reach: nothing is restarted.
    opened = host.run("systemctl", "show", "--property=ActiveEnterTimestamp", NAME).stdout
    limit = {"deploy_listen": "[::]:8082", "deploy_open_files": 23456}
    limited = setup(ghost="h0", code=1, **OPTIONS | limit)
    assert changed(limited) == {"Write the limits of the service"}
    assert host.run("systemctl", "show", "--property=ActiveEnterTimestamp", NAME).stdout == opened
    assert "LimitNOFILE=23456\n" in host.run("systemctl", "show", NAME).stdout
    assert line(limited, "h0").startswith("not reached: ")
    assert limited.stderr.startswith("error: h0: cannot be reached: ")
    assert len(limited.stderr.splitlines()) == 1

    # Remove both variables: the socket listens as its unit says, and the firewall is closed, even
    # though a later task fails.
    failed = setup(deploy_time_zone="Europe/Atlantis", code=1)
    assert line(failed).startswith("failed: ")
    assert "/usr/share/zoneinfo/Europe/Atlantis" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert not host.path(LISTEN).exists()
    assert not host.path(OPENING).exists()
    assert "8082" not in host.run("nft", "list", "ruleset").stdout
    assert not reached(8082)
    checked = host.run(f"/opt/{NAME}/current/bin/{NAME}", "check")
    assert checked.returncode == 0


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {"deploy_prefix": "/srv/x"},
            "deploy_prefix is '/srv/x': expected nothing: setup is for whole machines",
        ),
        (
            {"deploy_listen": "8000"},
            "deploy_listen is '8000': expected an address and a port such as 0.0.0.0:8000",
        ),
        (
            {"deploy_listen": ""},
            "deploy_firewall is 'nftables': expected none, or nftables where deploy_listen is set",
        ),
        ({"deploy_log_size": "big"}, "deploy_log_size is 'big': expected a size such as 500M or"),
    ],
)
def test_a_wrong_variable_is_refused_before_anything_changes(
    setup: Setup, host: Machine, variables: dict[str, str], reason: str
) -> None:
    before = state(host)
    done = setup(**OPTIONS | {"deploy_open_files": 9} | variables, code=1)
    assert line(done).startswith(f"failed: {reason}")
    assert done.stderr.startswith(f"error: h1: {reason}")
    assert len(done.stderr.splitlines()) == 1
    assert state(host) == before


def test_a_firewall_that_has_no_place_for_the_opening_is_left_alone(
    setup: Setup, host: Machine
) -> None:
    host.path("/etc/nftables.conf").write_text("flush ruleset\n", encoding="utf-8")
    done = setup(**OPTIONS, code=1)
    assert "/etc/nftables.conf cannot take the opening: " in done.stderr
    assert "No such file or directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert host.read("/etc/nftables.conf") == "flush ruleset\n"
