"""The pages from the bake to one's own program: each command on them is run, in the pages' order.

What can run in a project runs here; ELSEWHERE names the test that runs any other.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tasks.lib import environment
from tasks.lib import project as projects

from tests.conftest import Bake
from tests.e2e import programs
from tests.support import PROJECT, ROOT, commit, missing, offered_here, run

ELSEWHERE = {
    "nox": ("test_sessions.py", '["-s", "lint", *'),
    "invoke deps.lock": ("test_pipenv.py", '"deps.lock"'),
    "pipenv sync": ("test_pipenv.py", 'pipenv("sync")'),
    "pipenv sync --dev": ("test_pipenv.py", 'pipenv("sync")'),
    "pipenv run manage createsuperuser": ("e2e/test_django.py", "run manage createsuperuser"),
    "sudo NAME-admin run manage createsuperuser": (
        "e2e/test_django.py",
        "{ADMIN} run manage createsuperuser",
    ),
    "sudo NAME-admin run manage showmigrations": ("e2e/test_django.py", '"showmigrations"'),
    "sudo NAME-admin run manage shell < script.py": (
        "e2e/test_django.py",
        '"run", "manage", "shell", stdin=',
    ),
    "sudo NAME-admin run flask catalogue count": (
        "e2e/test_flask.py",
        '(ADMIN, "run", "flask", "catalogue", "count")',
    ),
    "sudo NAME-admin run before-switch": ("e2e/test_fastapi.py", '(ADMIN, "run", "before-switch")'),
}
"""For each command that does not run here: a test file, and words of the line that runs it."""

UNTIL_STOPPED = {
    "invoke serve": {
        "service": "http://127.0.0.1:8000/readyz",
        "worker": '"message":"begun"',
    },
    "DJANGO_DEBUG=1 pipenv run manage runserver": {"service": "http://127.0.0.1:8000/"},
    "pipenv run flask --app src/PACKAGE/app run --debug": {"service": "http://127.0.0.1:5000/"},
}
"""For each command that runs until Ctrl-C: where it answers then, or what it has said."""

MEANWHILE = {
    "sudo curl --unix-socket /run/NAME/health.sock http://localhost/metrics": "heartbeat",
}
"""For each command that asks what runs until it is stopped: a word of the answer."""

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(r"^```python\n(def migrate.*?)^```", re.DOTALL | re.MULTILINE)
_SECONDS = 60
_STOPPING = """
import os, signal, subprocess, sys, time, urllib.request
command, wanted, seconds, *asking = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with open("said.txt", "w") as said:
    running = subprocess.Popen(
        command, shell=True, stdout=said, stderr=said, start_new_session=True
    )
def there():
    if not wanted.startswith("http"):
        return wanted in open("said.txt").read()
    try:
        return urllib.request.urlopen(wanted, timeout=5).status == 200
    except OSError:
        return False
end = time.monotonic() + float(seconds)
try:
    while not there():
        if time.monotonic() > end or running.poll() is not None:
            sys.exit("it does not run")
        time.sleep(0.1)
    for each in asking:
        subprocess.run(each, shell=True, check=True)
    os.killpg(running.pid, signal.SIGINT)
    running.wait(20)
finally:
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    print(open("said.txt").read())
    os.unlink("said.txt")
"""
"""Runs a command in a network of its own until it works, and others then; stops it by Ctrl-C."""


def commands(page: Path) -> list[str]:
    """Return the commands in a page's shell blocks, without comments."""
    lines = "".join(_BLOCK.findall(page.read_text("utf-8"))).replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]


@dataclass
class Follower:
    """Follows a page in a project, as its reader would."""

    folder: Path
    kind: str
    after: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    """What the page tells the reader to write, by the command that comes before."""

    def __post_init__(self) -> None:
        """Make the environment that `pipenv sync` would make."""
        this = projects.load(self.folder)
        made = environment.ensure(this, environment.interpreter(this), "packages")
        path = [str(Path(sys.executable).parent), *os.get_exec_path()]
        self._environ = os.environ | {
            "PATH": os.pathsep.join(path),
            "VIRTUAL_ENV": str(made.folder),
            "PIPENV_VERBOSITY": "-1",
            "PIPENV_NOSPIN": "1",
            **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        for name in ("PYTHONPATH", "PIPENV_IGNORE_VIRTUALENVS"):
            self._environ.pop(name, None)

    def follow(self, page: Path) -> None:
        """Run all commands of a page but those that run elsewhere."""
        found = commands(page)
        assert found
        meanwhile = [command for command in found if command in MEANWHILE]
        for command in found:
            if command in UNTIL_STOPPED:
                self._serve(command, meanwhile)
            elif command not in {*ELSEWHERE, *MEANWHILE}:
                self._run(["sh", "-ec", named(command)], command)
            if command in self.after:
                self.after[command](self.folder)

    def _serve(self, command: str, meanwhile: list[str]) -> None:
        """Run a command until it is of use, and others beside it."""
        unshare = shutil.which("unshare") or missing("unshare")
        if os.geteuid():
            missing("root, for a network of its own")
        wanted = UNTIL_STOPPED[command][self.kind]
        with tempfile.TemporaryDirectory(dir="/tmp") as short:
            self._environ["RUNTIME_DIRECTORY"] = short  # a worker's health socket lies there
            asking = [
                named(each).removeprefix("sudo ").replace("/run/my-service", short)
                for each in meanwhile
            ]
            stopping = [sys.executable, "-c", _STOPPING, named(command), wanted, str(_SECONDS)]
            said = self._run([unshare, "--net", *stopping, *asking], command)
        for each in meanwhile:
            assert MEANWHILE[each] in said, each

    def _run(self, argv: list[str], command: str) -> str:
        done = run(argv, cwd=self.folder, env=self._environ)
        print(f"$ {command}\n{done.stdout}{done.stderr}")
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout


def named(command: str) -> str:
    """Return a command for the project of these tests."""
    return command.replace("NAME", "my-service").replace("PACKAGE", "my_service")


@pytest.fixture
def project(bake: Bake, request: pytest.FixtureRequest) -> Path:
    """Return a committed project of a kind."""
    return bake(
        git=True, project="my-service", kind=str(request.param), python_version=offered_here()
    )


def migrate(folder: Path) -> None:
    """Add the hook that prepares the data, as the page has it."""
    [code] = _PYTHON.findall((folder / "docs/your-program.md").read_text("utf-8"))
    imported = "import os", "import sqlite3", "from contextlib import closing"
    head = "\n".join(['"""Data."""', "", *imported, "from pathlib import Path"])
    (folder / "src/my_service/data.py").write_text(f"{head}\n\n\n{code}")
    pyproject = folder / "pyproject.toml"
    table = "[tool.program]\n"
    text = pyproject.read_text("utf-8")
    assert text.count(table) == 1
    hook = f'{table}before_switch = "my_service.data:migrate"\n'
    pyproject.write_text(text.replace(table, hook), "utf-8")


def change(folder: Path) -> None:
    """Change the sample, so that there is something to commit."""
    readme = folder / "README.md"
    readme.write_text(f"{readme.read_text('utf-8')}\nMine.\n", "utf-8")


@pytest.mark.parametrize("project", ["service", "worker", "cli"], indirect=True)
def test_your_program(project: Path) -> None:
    kind = projects.load(project).kind
    change(project)
    if kind != "cli":
        migrate(project)
    Follower(project, kind).follow(project / "docs/your-program.md")


def overlaid(folder: Path, name: str) -> Follower:
    """Return who follows a framework's page: the program is written where the page says so."""
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    programs.overlay(kept, name)
    for part in ("Pipfile", "Pipfile.lock"):
        shutil.copy(kept / part, folder)
    commit(folder)
    return Follower(folder, "service")


def lay(folder: Path) -> None:
    """Write what the page tells: the files of the program as a whole."""
    for path in folder.with_name("kept").rglob("*"):
        target = folder / path.relative_to(folder.with_name("kept"))
        if path.is_file() and not {".git", "__pycache__"} & {*path.parts}:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


@pytest.mark.parametrize("project", ["service"], indirect=True)
def test_flask(project: Path) -> None:
    follower = overlaid(project, "flask")
    lay(project)
    follower.follow(project / "docs/frameworks/flask.md")


@pytest.mark.parametrize("project", ["service"], indirect=True)
def test_django(project: Path) -> None:
    follower = overlaid(project, "django")

    def write(folder: Path) -> None:
        lay(folder)
        (folder / "src/my_service/notes/migrations/0001_initial.py").unlink()

    follower.after["rm src/PACKAGE/config/asgi.py src/PACKAGE/notes/tests.py"] = write
    follower.follow(project / "docs/frameworks/django.md")
    assert (project / "src/my_service/notes/migrations/0001_initial.py").is_file()


@pytest.mark.parametrize("project", ["service"], indirect=True)
def test_fastapi(project: Path) -> None:
    follower = overlaid(project, "fastapi")
    versions = project / "src/my_service/migrations/versions"

    def write(folder: Path) -> None:
        lay(folder)
        [first] = versions.glob("0001_*.py")
        first.unlink()

    follower.after["rm alembic.ini"] = write
    follower.follow(project / "docs/frameworks/fastapi.md")
    assert [path.name for path in versions.glob("*.py")] == ["0001_notes.py"]


def test_what_runs_elsewhere_does_and_is_on_a_page() -> None:
    pages = [*PROJECT.glob("docs/frameworks/*.md"), *PROJECT.glob("**/docs/your-program.md")]
    known = {command for page in pages for command in commands(page)}
    assert {*ELSEWHERE, *MEANWHILE, *UNTIL_STOPPED} <= known
    for command, (file, words) in ELSEWHERE.items():
        assert words in (ROOT / "tests" / file).read_text("utf-8"), command
    followed = {"django", "fastapi", "flask"}
    assert {path.stem for path in PROJECT.glob("docs/frameworks/*.md")} == followed
