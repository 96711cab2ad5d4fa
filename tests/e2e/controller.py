"""The machine that deployments come from: a project in a network with nothing but the hosts."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from tests.support import commit_change, run

from .fleet import HUB, NETWORK, Fleet
from .machine import Result
from .releases import NAME, TRIAL_SECONDS, Releases, invoke, waits
from .service import BASE, Load, active, answer, eventually

ADDRESS = f"{NETWORK}.1"
TO = ("--to", "fleet")
UV = Path(sys.executable).with_name("uv")


class Controller:
    """A project that deploys to the hosts of the target `fleet`."""

    def __init__(self, folder: Path, hosts: Fleet, **target: str) -> None:
        self.folder = folder
        self.hosts = hosts
        self.trial_seconds = TRIAL_SECONDS
        self.variables: dict[str, object] = {}
        """The inventory's variables for all hosts."""
        self.connections = hosts.connections
        """The folder of SSH's open connections; with a new folder there are none."""
        self.releases = Releases(folder, folder.parent)
        self._inventory = folder.parent / "fleet.yml"
        self.write_inventory()
        settings = folder / "invoke.yaml"
        given = {"inventory": os.path.relpath(self._inventory, folder), **target}
        lines = "".join(f"      {key}: {value}\n" for key, value in given.items())
        text = settings.read_text(encoding="utf-8")
        text = text.replace("  targets:\n", f"  targets:\n    fleet:\n{lines}", 1)
        settings.write_text(text, encoding="utf-8")
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
        run(["git", "add", "--all"], cwd=folder)
        run(["git", *who, "commit", "--quiet", "--amend", "--message=First"], cwd=folder)

    def write_inventory(self) -> None:
        """Write the inventory with the variables as they are now."""
        inventory = yaml.safe_load(self.hosts.inventory)
        # Ansible need not look for it on each host in each run; test_hosts_setup.py lets it do so.
        inventory["all"]["vars"] |= {"ansible_python_interpreter": "/usr/bin/python3"}
        inventory["all"]["vars"] |= self.variables
        self._inventory.write_text(yaml.safe_dump(inventory), encoding="utf-8")

    @contextmanager
    def on(self, hosts: Fleet) -> Iterator[Fleet]:
        """Deploy to these hosts only during the block."""
        all_of_them, self.hosts = self.hosts, hosts
        self.write_inventory()
        try:
            yield hosts
        finally:
            self.hosts = all_of_them
            self.write_inventory()

    def become(self, which: str) -> str:
        """Change the project to a release of `VERSIONS`; return its version."""
        release = self.releases[which]
        self.releases.edit(which)
        return release.version

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs invoke where only the hosts can be reached."""
        return ["ip", "netns", "exec", HUB, sys.executable, "-m", "invoke", *arguments]

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of that command."""
        return {
            **os.environ,
            **waits(self.folder, self.trial_seconds),
            "INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER": "local",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.connections),
        }

    def invoke(self, *arguments: str, code: int = 0, env: Mapping[str, str] = {}) -> Result:
        """Run invoke, and expect exit code `code`."""
        command = self.command(*arguments)
        return run(command, cwd=self.folder, env={**self.environ, **env}, code=code)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start invoke as the leader of a process group."""
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def prepare(self) -> None:
        """Make Ansible's environment while there is a network."""
        invoke(self.folder, "deploy.history", "--to", "local")

    def commit(self, name: str, text: str) -> None:
        """Write a file of the project and commit it."""
        (self.folder / name).write_text(text, encoding="utf-8")
        commit_change(self.folder)


def block(said: Result) -> dict[str, str]:
    """Return the closing block's lines by host."""
    return dict(re.findall(r"^  (h\d) +(.+)$", said.stdout.rsplit("\n\n", 1)[-1], re.MULTILINE))


def everywhere(hosts: Fleet, text: str) -> dict[str, str]:
    """Return the same text for each host."""
    return dict.fromkeys(hosts.hosts, text)


def serving(hosts: Fleet) -> dict[str, str | None]:
    """Return the version that answers on each host."""
    return {name: answer(host) for name, host in hosts.hosts.items()}


def count(hosts: Fleet, release: str) -> int:
    """Return the number of hosts on which a release is active."""
    return [active(host) for host in hosts.hosts.values()].count(release)


def put_back(hosts: Fleet, release: str) -> bool:
    """Let the hosts that have a release switch to it by themselves; return whether all run it now.

    That takes a fraction of the time that Ansible takes.
    """
    command = (f"{NAME}-admin", "activate", "--to", release, "--allow-downgrade")
    there = hosts.hosts.values()
    able = [host for host in there if host.path(f"{BASE}/releases/{release}").exists()]
    begun = [host.background(*command) for host in able if active(host) != release]
    for each in begun:
        said = each.communicate(timeout=120)
        assert each.returncode == 0, said
    return count(hosts, release) == len(there)


@contextmanager
def under_load(hosts: Fleet) -> Iterator[None]:
    """Ask every host all the time during the block; check that no request fails."""
    loads = {name: Load(host, "close", workers=1, pause=0.1) for name, host in hosts.hosts.items()}
    try:
        yield
    finally:
        seen = {name: load.end() for name, load in loads.items()}
    for name, host in seen.items():
        assert host["requests"] > 0, name
        assert host["failed"] == 0, (name, host["failures"])


@contextmanager
def repository(folder: Path) -> Iterator[Path]:
    """Return a bare repository below `folder` that hosts reach at git://ADDRESS/NAME."""
    served = folder / "git"
    served.mkdir()
    command = ["git", "daemon", "--reuseaddr", "--export-all", f"--listen={ADDRESS}",
               f"--base-path={served}", str(served)]  # fmt: skip
    with _serve(command, 9418):
        yield served


@contextmanager
def index(folder: Path, requirements: Path) -> Iterator[str]:
    """Return the address of a package index that has the wheels of a requirements file."""
    venv, wheels = folder / "venv", folder / "wheels"
    run([UV, "venv", "--quiet", "--seed", "--python", sys.executable, venv], cwd=folder)
    run([venv / "bin/pip", "download", "--quiet", "--dest", wheels, "--no-deps",
         "--require-hashes", "--requirement", requirements], cwd=folder)  # fmt: skip
    simple = folder / "index/simple"
    for wheel in wheels.iterdir():
        page = simple / re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower() / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, page.parent)
        with page.open("a", encoding="utf-8") as file:
            file.write(f'<a href="{wheel.name}">{wheel.name}</a>\n')
    command = [sys.executable, "-m", "http.server", "--bind", ADDRESS,
               "--directory", str(simple.parent), "8088"]  # fmt: skip
    with _serve(command, 8088):
        yield f"http://{ADDRESS}:8088/simple"


@contextmanager
def _serve(command: list[str], port: int) -> Iterator[None]:
    with ExitStack() as stack:
        inside = ["ip", "netns", "exec", HUB]
        server = subprocess.Popen(
            [*inside, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        stack.callback(server.wait)
        stack.callback(os.killpg, server.pid, 15)
        ask = f"import socket; socket.create_connection(('{ADDRESS}', {port}), 2)"
        eventually(
            lambda: subprocess.run([*inside, sys.executable, "-c", ask], capture_output=True,
                                   check=False).returncode == 0,
            f"{command[0]} answers",
        )  # fmt: skip
        yield
