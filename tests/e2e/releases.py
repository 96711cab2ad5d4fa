"""The packages to install, built from a bake whose source is edited as a developer would do it."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bases import Bases
from tests.support import commit, run

from .machine import Result

NAME = "my-service"
HEALTH_SECONDS = 5
"""How long a release of the tests may take to become healthy: tests wait for it."""
TRIAL_SECONDS = 10
"""How long a release of the tests is on trial: a restart in that time goes back."""

Edit = tuple[str, str, str]
"""A file of the project, lines of it, and the lines that replace them; no lines: a new file."""
Versions = Mapping[str, tuple[str, tuple[Edit, ...]]]
_IN_ALL_FORMS = ("old", "new")
"""The versions that a test may install in several forms; of others it may get the archive alone."""
_NO_PACKAGES: tuple[Edit, ...] = (
    ("invoke.yaml", "    packages: [deb, rpm]\n", "    packages: []\n"),
)

# True on a machine only: a program that fails where it is built is not even packed.
_THERE = '"STATE_DIRECTORY" in __import__("os").environ'
_APP = "src/my_service/app.py"
_SERVE, _READINESS, _SERVICE = (
    f"src/my_service/runtime/{name}.py" for name in ("serve", "readiness", "service")
)
_SOCKET = "deploy/units/socket.in"

_ORDERS = '''def _order() -> str:
    """Return what a test has told this version to do."""
    path = os.environ.get("STATE_DIRECTORY", "") + "/orders"
    given = json.loads(open(path).read()) if os.path.exists(path) else {}
    order = given.get(release.current().version, "")
    return "" if order == "die unless held" and "--hold" in sys.argv else order


async def _slow(request: Request) -> Response:
    """Answer for as many seconds as the caller asks for."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10 * int(request.query_params["seconds"])):
            yield b"." * 1000
            await asyncio.sleep(0.1)

    return StreamingResponse(parts())


app = Starlette(routes=[Route("/", index), Route("/slow", _slow)], lifespan=lifespan)
'''
_READY = """        from ..app import _order
        if _order() == "strange":
            strange = "0.6.0\\x1b[2J\\nactive: \\u202e\\x00\\x85"
            await answer_json(send, 200, {"status": "ready", "release": strange})
            return
        report = await self.readiness.report()
        if _order() == "never ready":
            report = {"status": "starting"}
"""
_OBEYS = (
    (_APP, "from collections.abc import AsyncIterator\n",
     "import asyncio, json, os, sys, time\nfrom collections.abc import AsyncIterator\n"),
    (_APP, "from starlette.responses import JSONResponse\n",
     "from starlette.responses import JSONResponse, Response, StreamingResponse\n"),
    (_APP, "    yield\n",
     '    if _order().startswith("die"):\n'
     '        open(os.environ["STATE_DIRECTORY"] + "/died", "w").write(str(os.getpid()))\n'
     '        os._exit(3)\n'
     '    if _order() == "hang":\n        time.sleep(1000)\n'
     '    yield\n'),
    (_APP, 'app = Starlette(routes=[Route("/", index)], lifespan=lifespan)\n', _ORDERS),
    (_SERVICE, "        report = await self.readiness.report()\n", _READY),
)  # fmt: skip

VERSIONS: Versions = {
    "old": ("0.1.0", ()),
    "new": ("0.2.0", ()),
    "exits at once": (
        "0.3.0",
        ((_SERVE, "    notifier = notify.from_systemd(os.environ)\n",
          f'    if {_THERE}:\n        raise Failure("the new database is missing")\n'
          "    notifier = notify.from_systemd(os.environ)\n"),),
    ),
    "never ready": (
        "0.3.1",
        ((_READINESS, "            self._readiness.state = READY\n",
          f"            self._readiness.state = STARTING if {_THERE} else READY\n"),),
    ),
    "wrong release": (
        "0.3.2",
        ((_SERVE, "    this = release.current()\n",
          "    this = release.current()\n"
          f'    if {_THERE}:\n        this = release.Release("0.1.0", None, "0.1.0+another")\n'),),
    ),
    "other port": (
        "0.4.0",
        ((_SOCKET, "ListenStream=127.0.0.1:8000\n", "ListenStream=127.0.0.1:8080\n"),),
    ),
    "other default": (
        "0.5.0",
        (("deploy/units/env.in", "#@prefix@LOG_LEVEL=info\n", "#@prefix@LOG_LEVEL=debug\n"),),
    ),
    # These do what /var/lib/my-service/orders says; see faults.order().
    "obeys": ("0.6.0", _OBEYS),
    "obeys too": ("0.6.1", _OBEYS),
    "dies soon": (
        "0.7.0",
        ((_APP, "    yield\n",
          f'    if {_THERE}:\n        import asyncio, os\n'
          '        asyncio.get_running_loop().call_later(3, os._exit, 3)\n'
          '    yield\n'),),
    ),
    # A command's: it starts unless the machine has this file.
    "needs": (
        "0.2.1",
        (("src/my_service/cli.py", "RELEASE = release.current().release\n",
          "RELEASE = release.current().release\n"
          'if __import__("os").path.exists("/root/no-library"):\n'
          '    raise SystemExit("the library is missing")\n'),),
    ),
    "alone": ("0.8.0", (("invoke.yaml", "  overlap: true\n", "  overlap: false\n"),)),
}  # fmt: skip
"""The version and the edits of each release, by a name for what is special about it."""


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Hold a lock among parallel test processes."""
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Release:
    """A release's artefacts; each quadrant is built when one of its artefacts is first used."""

    version: str
    build: Callable[..., Path]
    """Returns the folder of a quadrant's artefacts, with or without `packages`."""

    @property
    def deb(self) -> Path:
        """Return the Debian package."""
        return self._one("offline-binary", "*.deb")

    @property
    def rpm(self) -> Path:
        """Return the RPM package."""
        return self._one("offline-binary", "*.rpm")

    @property
    def archive(self) -> Path:
        """Return the archive."""
        (found,) = self.build("offline-binary", packages=False).glob("*.tar.gz")
        return found

    @property
    def run(self) -> Path:
        """Return the self-extracting bundle."""
        return self._one("offline-source", "*.run")

    @property
    def tar(self) -> Path:
        """Return the bundle as an archive."""
        return self._one("offline-source", "*.tar.gz")

    def _one(self, quadrant: str, pattern: str) -> Path:
        (found,) = self.build(quadrant).glob(pattern)
        return found


class Releases:
    """The releases of one project."""

    def __init__(
        self,
        project: Path,
        store: Path,
        versions: Versions = VERSIONS,
        *,
        bases: Bases | None = None,
    ) -> None:
        self._project = project
        self._store = store
        self.versions = versions
        self._bases = bases

    def __getitem__(self, which: str) -> Release:
        """Return a release, by its name in the versions."""
        return self._release(which, self._store, {})

    def signed(self, which: str, key: Path) -> Release:
        """Return the release with its checksums signed by an OpenSSH key."""
        store = self._store / f"signed by {key.name}"
        return self._release(which, store, {"INVOKE_DEPLOY_SIGNING_KEY": str(key)})

    def _release(self, which: str, store: Path, settings: Mapping[str, str]) -> Release:
        version, _ = self.versions[which]

        def build(quadrant: str, *, packages: bool = True) -> Path:
            whole = packages or which in _IN_ALL_FORMS
            folder = store / quadrant / (version if whole else f"{version} without packages")
            with exclusive(self._store.with_suffix(".lock")):
                if not folder.exists():
                    self._build(which, quadrant, folder, settings, packages=whole)
            return folder

        return Release(version, build)

    def _build(
        self, which: str, quadrant: str, into: Path, settings: Mapping[str, str], *, packages: bool
    ) -> None:
        self.edit(which, *(() if packages else _NO_PACKAGES))
        if self._bases:
            self._bases.lend(self._project)
        invoke(self._project, f"deploy.{quadrant}", settings=settings)
        into.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-R", self._project / "dist" / quadrant, into], check=True)

    def edit(self, which: str, *more: Edit) -> None:
        """Change the project to a release, with some `more` edits."""
        version, edits = self.versions[which]
        edits = (*edits, *more)
        run(["git", "checkout", "--quiet", "--force", "--detach", self._first()], cwd=self._project)
        number = ("pyproject.toml", 'version = "0.1.0"\n', f'version = "{version}"\n')
        for name, before, after in (number, *edits):
            path = self._project / name
            assert path.exists() is bool(before), f"{name} is there, or not"
            text = path.read_text(encoding="utf-8") if before else before
            assert text.count(before) == 1, f"{name} has no line {before!r} to edit"
            path.write_text(text.replace(before, after), encoding="utf-8")
        if edits or version != "0.1.0":
            commit(self._project)

    def _first(self) -> str:
        return run(["git", "rev-list", "--max-parents=0", "HEAD"], cwd=self._project).stdout.strip()


def invoke(
    project: Path, *arguments: str, code: int = 0, settings: Mapping[str, str] = {}
) -> Result:
    """Run invoke in a project, with `settings` as environment variables; expect exit `code`."""
    fixed = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "INVOKE_DEPLOY_OFFLINE_SOURCE_INTERPRETER": "local",
        **waits(project, TRIAL_SECONDS),
    }
    command = [sys.executable, "-m", "invoke", *arguments]
    return run(command, cwd=project, env={**os.environ, **fixed, **settings}, code=code)


def waits(project: Path, trial_seconds: int) -> dict[str, str]:
    """Return the settings by which a project's releases are waited for; a command has none."""
    if "trial_seconds" not in (project / "invoke.yaml").read_text("utf-8"):
        return {}
    return {
        "INVOKE_DEPLOY_HEALTH_SECONDS": str(HEALTH_SECONDS),
        "INVOKE_DEPLOY_TRIAL_SECONDS": str(trial_seconds),
    }
