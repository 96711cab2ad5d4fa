"""A baked project with two releases on many hosts, and what is timed there."""

import grp
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from _application import bake
from _sshd import Host, Hosts
from _timing import run

NAME = "my-service"
START = 1
"""Seconds that the service takes to start, in which it waits and uses no processor."""
_PEER = Path(__file__).with_name("peer") / "site.yml"
_HAS = ("bin", "etc/logrotate.d", "etc/systemd/system")
"""What a machine has before its first deployment."""
_SERVICE = re.compile(r"^  seconds +([\d.]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Taken:
    """What a command took."""

    seconds: float
    own: float
    """Processor seconds of the deploying side, without those of the hosts."""
    output: str

    @property
    def rollout(self) -> "Taken":
        """The same without the build before it: the seconds are those of the closing block."""
        return Taken(float(_SERVICE.findall(self.output)[-1]), self.own, "")


class Fleet:
    """The project, with a target for each number of hosts and each batch."""

    NEWEST = "0.2.0"

    def __init__(self, place: Path, hosts: Hosts, targets: Mapping[str, tuple[int, str]]) -> None:
        """Install on all hosts; `targets` gives the number of hosts and the batch by name."""
        self.hosts = hosts
        self.project = bake(place, f"{sys.version_info.major}.{sys.version_info.minor}")
        with (self.project / "src/my_service/__init__.py").open("a", encoding="utf-8") as file:
            file.write(f"import time\n\ntime.sleep({START})\n")
        self._add(targets)
        self._first = next(name for name, (count, _) in targets.items() if count == 1)
        first, *others = hosts.all
        for version in ("0.1.0", self.NEWEST):
            self._install(version)
        for host in others:
            _copy(first, host)
        for host in hosts.all:
            for folder in _HAS:
                (host.folder / "peer" / folder).mkdir(parents=True)

    @property
    def program(self) -> Path:
        """The service's program on the first host."""
        return self.hosts.all[0].folder / "opt" / NAME / "current/bin" / NAME

    def invoke(
        self,
        *arguments: str,
        cold: bool = False,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Taken:
        """Time a task of the project, `cold` without open connections."""
        more = {"INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER": "local", **variables}
        return self._timed([sys.executable, "-m", "invoke", *arguments], more, cold=cold)

    def peer(self, count: int, health: str, *, cold: bool = False, like_us: bool = False) -> Taken:
        """Time the plain playbook on the first hosts, with Ansible's own settings or with ours.

        `health` is the address that it asks.
        """
        (ansible,) = self.project.glob("build/environments/deploy-*/bin/ansible-playbook")
        (archive,) = self.project.glob("dist/offline-source/*.tar.gz")
        plain = self.project.with_name("plain.cfg")
        plain.touch()
        settings = self.project / "deploy/ansible/ansible.cfg" if like_us else plain
        given = {
            "service_group": grp.getgrgid(os.getgid()).gr_name,
            "service_archive": archive,
            "service_health": health,
        }
        extra = [f"--extra-vars={key}={value}" for key, value in given.items()]
        command: list[str | Path] = [ansible, "--inventory", self._inventory(count), *extra, _PEER]
        return self._timed(command, {"ANSIBLE_CONFIG": str(settings)}, cold=cold)

    def _timed(
        self, command: Sequence[str | Path], variables: Mapping[str, str], *, cold: bool
    ) -> Taken:
        if cold:
            self.hosts.disconnect()
        connections = {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.hosts.connections)}
        environment = {**os.environ, **connections, **variables}
        # As in _timing.run, which returns neither the output nor the processor time.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment.pop("VIRTUAL_ENV", None)
        said = self.project.with_name("said")
        start = time.perf_counter()
        with said.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.project,
                env=environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
            try:
                _, status, used = os.wait4(process.pid, 0)
            except BaseException:
                os.killpg(process.pid, signal.SIGINT)  # it ends what it has started
                process.wait()
                raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output = said.read_text(encoding="utf-8", errors="replace")
        if process.returncode:
            raise SystemExit(f"{command[0]} failed:\n{output}")
        return Taken(seconds, used.ru_utime + used.ru_stime, output)

    def _add(self, targets: Mapping[str, tuple[int, str]]) -> None:
        lines = []
        for name, (count, batch) in targets.items():
            path = self._inventory(count)
            path.write_text(self.hosts.inventory(count), encoding="utf-8")
            where = path.relative_to(self.project)
            facts = f"inventory: {where}, quadrant: offline-source, batch: {batch}"
            lines.append(f"    {name}: {{{facts}}}\n")
        settings = self.project / "invoke.yaml"
        text = settings.read_text(encoding="utf-8")
        text = text.replace("  targets:\n", f"  targets:\n{''.join(lines)}", 1)
        settings.write_text(text, encoding="utf-8")

    def _inventory(self, count: int) -> Path:
        return self.project / f"deploy/inventory/first-{count}.yml"

    def _install(self, version: str) -> None:
        file = self.project / "pyproject.toml"
        text = file.read_text(encoding="utf-8")
        text = re.sub('^version = ".*"', f'version = "{version}"', text, flags=re.MULTILINE)
        file.write_text(text, encoding="utf-8")
        self.invoke("deploy.offline-source", "--to", self._first)


def _copy(installed: Host, to: Host) -> None:
    """Copy an installation; link its releases, which never change."""
    target = to.folder / "opt" / NAME
    target.mkdir(parents=True)
    for path in (installed.folder / "opt" / NAME).iterdir():
        links = ["--link"] if path.name == "releases" else []
        run(["cp", "--archive", *links, path, target], target)
