"""The one-file form: a shell script that unpacks a program once, and runs it from then on.

The program here is a small script, so that only the launcher is tested.
"""

import gzip
import io
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tasks.deploy.build.self_extracting import onefile

from tests.support import PROJECT, missing

LAUNCHER = PROJECT / "deploy" / "offline-binary" / "launcher.sh"
TOKENS = {"name": "my-tool", "prefix": "MY_TOOL_"}
TOOLS = "chmod gzip id ls mkdir mktemp mv rm sha256sum sync tail tar".split()
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534

PROGRAM = """\
#!/bin/sh
case $1 in
    exit) exit "$2" ;;
    kill) kill -TERM $$ ;;
    stdin) cat ;;
    fd3) cat <&3 ;;
    env) cat /proc/$$/environ | tr '\\0' '\\n' ;;
    umask) umask ;;
    pid) echo $$ ;;
    data) cat "${0%/*}/_internal/data" ;;
    args) for each; do printf '[%s]' "$each"; done ;;
    *) printf '%s\\n' "$0" ;;
esac
"""

Done = subprocess.CompletedProcess[str]
Start = Callable[..., Done]


def payload(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Make a gzipped tar of files, each with its mode and content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, (mode, content) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size, entry.uid = mode, len(content), 1234
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def build(file: Path, data: bytes = b"data") -> Path:
    """Write the one-file form of a program that comes with `data`; no two have the same bytes."""
    files = {
        "my-tool": (0o555, PROGRAM.encode()),
        "_internal/data": (0o444, data),
        "_internal/unique": (0o444, os.urandom(16)),
    }
    content = payload(files)
    file.write_bytes(onefile(LAUNCHER.read_text("utf-8"), TOKENS, content))
    file.chmod(0o755)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that every user can reach; pytest's own folders are closed."""
    for path in (tmp_path, *tmp_path.parents[:2]):
        if path.stat().st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o055)
    return tmp_path


@pytest.fixture
def tool(folder: Path) -> Path:
    return build(folder / "my-tool")


@pytest.fixture
def cache(folder: Path) -> Path:
    """Return the path of the cache that `start` leads to; it does not exist yet."""
    return folder / "cache" / "my-tool.program"


@pytest.fixture
def home(folder: Path) -> Path:
    """Return the home folder of `start`; the cache in it is the next one tried."""
    home = folder / "home"
    home.mkdir()
    return home


@pytest.fixture
def start(cache: Path, home: Path) -> Iterator[Start]:
    """Return a function that starts a command with a cache folder and a small environment."""

    def start(*command: str | Path, env: Mapping[str, str] = {}, **options: Any) -> Done:
        usual = {"PATH": SYSTEM_PATH, "HOME": str(home), "XDG_CACHE_HOME": str(cache.parent)}
        defaults = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run(command, env=usual | dict(env), check=False, **(defaults | options))

    yield start
    strays = [path for folder in SYSTEM for path in Path(folder).glob("my-tool.program*")]
    for stray in strays:
        shutil.rmtree(stray)
    assert strays == [], "a cache was made outside the test's own folders"


@pytest.fixture(params=["sh", "busybox", "bash"])
def launch(request: pytest.FixtureRequest, start: Start, tool: Path) -> Start:
    """Return a function that starts `tool` by a shell; busybox finds its own tools alone."""
    name = str(request.param)
    shell: list[str | Path] = [shutil.which(name) or missing(name)]
    if name == "busybox":
        tools = tool.with_name("busybox")
        tools.mkdir()
        subprocess.run([*shell, "--install", "-s", tools], check=True)
        shell = ["env", f"PATH={tools}", *shell, "sh"]
    return lambda *words, **options: start(*shell, tool, *words, **options)


@pytest.fixture
def wrap(folder: Path) -> Callable[[str], Path]:
    """Return a function that puts a script before each tool, and returns the script's log file."""

    def wrap(script: str) -> Path:
        tools = folder / "tools"
        tools.mkdir()
        log = tools / "log"
        log.touch()
        for name in TOOLS:
            lines = ["#!/bin/sh", f"TOOL={name} REAL={shutil.which(name)} LOG={log}", script]
            (tools / name).write_text("\n".join(lines))
            (tools / name).chmod(0o755)
        return log

    return wrap


@pytest.fixture
def few(folder: Path) -> Callable[[str], str]:
    """Return a function that makes a PATH of what the launcher needs, except for one tool."""

    def few(without: str) -> str:
        tools = folder / "few"
        tools.mkdir()
        for name in {"sh", *TOOLS} - {without}:
            (tools / name).symlink_to(shutil.which(name) or missing(name))
        return str(tools)

    return few


def where(done: Done) -> Path:
    """Return the cache that the program was started from."""
    assert (done.returncode, done.stderr) == (0, ""), done
    return Path(done.stdout.strip()).parents[1]


def root() -> None:
    if os.geteuid() != 0:
        missing("root, to mount folders and to be another user")


# What the program gets


def test_first_and_later_starts_are_alike(launch: Start, cache: Path) -> None:
    for _ in range(2):
        done = launch("args", "", "two words", "*", "-n", "$(id)", "tab\tline\n")
        assert done.stderr == ""
        assert done.stdout == "[args][][two words][*][-n][$(id)][tab\tline\n]"
        digest(cache)


def digest(cache: Path) -> str:
    """Return the name of the one thing in `cache`, which is a SHA-256."""
    [only] = cache.iterdir()
    assert len(only.name) == 64
    assert int(only.name, 16)
    return only.name


def test_program_finds_its_files(launch: Start) -> None:
    assert launch("data").stdout == "data"


@pytest.mark.parametrize("how", ["first", "later"])
class TestProcess:
    """The program takes the launcher's place: nothing is left between it and its caller."""

    @pytest.fixture(autouse=True)
    def _started_before(self, how: str, start: Start, tool: Path) -> None:
        if how == "later":
            start(tool)

    def test_exit_code(self, start: Start, tool: Path) -> None:
        assert start(tool, "exit", "7").returncode == 7

    def test_signal(self, start: Start, tool: Path) -> None:
        assert start(tool, "kill").returncode == -signal.SIGTERM

    def test_standard_input(self, start: Start, tool: Path) -> None:
        assert start(tool, "stdin", stdin=None, input="text").stdout == "text"

    def test_process_id(self, tool: Path, cache: Path) -> None:
        environment = {"PATH": SYSTEM_PATH, "XDG_CACHE_HOME": str(cache.parent)}
        with subprocess.Popen([tool, "pid"], env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert int(process.stdout.read()) == process.pid

    def test_descriptor_3(self, start: Start, tool: Path, folder: Path) -> None:
        (folder / "three").write_text("third")
        done = start("sh", "-c", 'exec "$0" fd3 3<"$1"', tool, folder / "three")
        assert done.stdout == "third"

    def test_umask(self, start: Start, tool: Path) -> None:
        assert start(tool, "umask", umask=0o027).stdout == "0027\n"

    def test_environment(self, start: Start, tool: Path, cache: Path) -> None:
        names = ("base", "cache", "made", "new", "left", "owner", "n", "IFS_", "PREFIX_")
        given = dict.fromkeys(names, "kept") | {"MY_TOOL_PORT": "1"}
        ours = {"MY_TOOL_CACHE_DIR": str(cache.parent)}
        lines = start(tool, "env", env=given | ours).stdout.splitlines()
        found = dict(line.split("=", 1) for line in lines)
        assert found.items() >= given.items()
        # the launcher removes its own setting, which the program would refuse, and adds nothing
        usual = {"PATH", "HOME", "XDG_CACHE_HOME", "PWD", "OLDPWD", "_", "SHLVL"}
        assert found.keys() - given.keys() <= usual


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "my-tool"),
        ("./my-tool",),
        ("env", "PATH=.:/usr/bin:/bin", "my-tool"),
        ("sh", "-c", "cd / && PATH=$OLDPWD:$PATH exec my-tool"),
        ("sh", "-c", "cd / && PATH=$OLDPWD:$PATH exec bash my-tool"),
    ],
)
def test_started_in_any_way(start: Start, tool: Path, cache: Path, command: list[str]) -> None:
    assert where(start(*command, cwd=tool.parent)) == cache


def test_another_build_has_a_cache_of_its_own(start: Start, tool: Path, cache: Path) -> None:
    start(tool)
    other = build(tool.with_name("other"), b"other")
    assert start(other, "data").stdout == "other"
    assert start(tool, "data").stdout == "data"
    assert len(list(cache.iterdir())) == 2


def test_later_start_runs_one_other_program(
    start: Start, tool: Path, wrap: Callable[[str], Path]
) -> None:
    start(tool)
    log = wrap('echo "$TOOL" >>"$LOG"; exec "$REAL" "$@"')
    start(tool, env={"PATH": f"{log.parent}:{SYSTEM_PATH}"})
    assert log.read_text().split() == ["ls"]


# Where the cache is


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"MY_TOOL_CACHE_DIR": "{}/a", "XDG_CACHE_HOME": "{}/b", "HOME": "{}/c"}, "a"),
        ({"MY_TOOL_CACHE_DIR": "", "XDG_CACHE_HOME": "{}/b", "HOME": "{}/c"}, "b"),
        ({"XDG_CACHE_HOME": "{}/b", "HOME": "{}/c"}, "b"),
        ({"XDG_CACHE_HOME": "", "HOME": "{}/c"}, "c/.cache"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{}/c"}, "c/.cache"),
        ({"XDG_CACHE_HOME": "{}/missing/b", "HOME": "{}/c"}, "c/.cache"),
        ({"MY_TOOL_CACHE_DIR": "{}/two words ", "HOME": "{}/c"}, "two words "),
    ],
)
def test_first_that_fits(
    start: Start, tool: Path, folder: Path, given: dict[str, str], expected: str
) -> None:
    (folder / "c").mkdir()
    given = {name: text.format(folder) for name, text in given.items()}
    for _ in range(2):
        assert where(start(tool, env=given, cwd=folder)) == folder / expected / "my-tool.program"
    assert not (folder / "relative").exists()


def test_folder_asked_for_is_not_passed_over(start: Start, tool: Path, folder: Path) -> None:
    start(tool)
    asked = {"MY_TOOL_CACHE_DIR": str(folder / "asked")}
    assert where(start(tool, env=asked)) == folder / "asked" / "my-tool.program"


def test_folder_asked_for_that_does_not_fit_costs_no_unpacking(
    start: Start, tool: Path, cache: Path, wrap: Callable[[str], Path]
) -> None:
    start(tool)
    log = wrap('echo "$TOOL" >>"$LOG"; exec "$REAL" "$@"')
    given = {"MY_TOOL_CACHE_DIR": "relative", "PATH": f"{log.parent}:{SYSTEM_PATH}"}
    assert where(start(tool, env=given)) == cache
    assert "tar" not in log.read_text().split()


def test_cache_is_private(launch: Start, cache: Path) -> None:
    launch(umask=0)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    for path in [cache, *cache.rglob("*")]:
        assert path.stat().st_uid == os.geteuid(), path
        assert not path.stat().st_mode & 0o022, path


def test_tidying_services_leave_it_alone(launch: Start, cache: Path) -> None:
    # systemd-tmpfiles removes old files below /var/tmp, except for those with the sticky bit
    launch()
    made = cache / digest(cache)
    assert all(path.stat().st_mode & stat.S_ISVTX for path in [made, *made.rglob("*")])


def link(cache: Path) -> None:
    cache.rename(cache.with_name("elsewhere"))
    cache.symlink_to(cache.with_name("elsewhere"))


def replace_by_a_file(cache: Path) -> None:
    shutil.rmtree(cache)
    cache.touch(mode=0o700)


def give_away(path: Path) -> None:
    root()
    os.chown(path, NOBODY, NOBODY)


HARM: dict[str, Callable[[Path], None]] = {
    "a link": link,
    "a file": replace_by_a_file,
    "open to a group": lambda cache: cache.chmod(0o770),
    "open to all": lambda cache: cache.chmod(0o707),
    "readable": lambda cache: cache.chmod(0o755),
    "of someone else": give_away,
    "in a folder of someone else": lambda cache: give_away(cache.parent),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
@pytest.mark.parametrize("later", [False, True], ids=["first", "later"])
def test_cache_that_is_not_ours_alone_is_not_used(
    launch: Start, cache: Path, home: Path, later: bool, harm: Callable[[Path], None]
) -> None:
    if later:
        launch()
        program = cache / digest(cache) / "my-tool"
        program.chmod(0o700)
        program.write_text("#!/bin/sh\necho stolen\n")
    else:
        cache.mkdir(parents=True, mode=0o700)
    harm(cache)
    assert where(launch()) == home / ".cache" / "my-tool.program"


def test_sticky_parent_of_someone_else_is_fine(start: Start, tool: Path, cache: Path) -> None:
    root()
    cache.parent.mkdir()
    cache.parent.chmod(0o1777)
    os.chown(cache.parent, NOBODY, NOBODY)
    assert where(start(tool)) == cache


# Where the system's folders are not as they should be

SYSTEM = dict.fromkeys(("/var/cache", "/run/user"), "mode=0755")
SYSTEM |= dict.fromkeys(("/var/tmp", "/tmp", "/dev/shm"), "mode=1777")


@dataclass(frozen=True)
class System:
    """A machine whose folders for caches are new and empty."""

    mounts: dict[str, str] = field(default_factory=dict)
    """How folders are mounted; those that are not among `SYSTEM` are added to it."""
    user: int = 0
    home: str | None = None

    def start(self, tool: Path, times: int = 1) -> Done:
        """Start `tool` there."""
        root()
        lines = ["set -e", f"mount --bind '{tool.parent}' /mnt"]
        for place, usual in (SYSTEM | self.mounts).items():
            lines.append(f"mount -t tmpfs -o {self.mounts.get(place, usual)} tmpfs {place}")
        become = f"setpriv --reuid {self.user} --regid {self.user} --clear-groups"
        home = [f"HOME={self.home}"] if self.home else []
        lines += [" ".join(["env -i PATH=$PATH", *home, become, f"/mnt/{tool.name}"])] * times
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", "\n".join(lines)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


NOEXEC = "noexec,mode=1777"


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (System(), "/var/cache/my-tool.program"),
        (System(home="/nonexistent"), "/var/cache/my-tool.program"),
        (System({"/srv": "mode=0755"}, home="/srv"), "/srv/.cache/my-tool.program"),
        (System({"/srv": "noexec"}, home="/srv"), "/var/cache/my-tool.program"),
        (System({"/srv": "ro"}, home="/srv"), "/var/cache/my-tool.program"),
        (System({"/srv": "size=8k"}, home="/srv"), "/var/cache/my-tool.program"),
        (System(user=NOBODY), f"/var/tmp/my-tool.program-{NOBODY}"),
        (
            System({"/srv": "mode=0755"}, user=NOBODY, home="/srv"),
            f"/var/tmp/my-tool.program-{NOBODY}",
        ),
        (System({"/var/tmp": NOEXEC}, user=NOBODY), f"/tmp/my-tool.program-{NOBODY}"),
        (System({"/var/tmp": "mode=0777"}, user=NOBODY), f"/tmp/my-tool.program-{NOBODY}"),
        (
            System({"/var/tmp": NOEXEC, "/tmp": NOEXEC}, user=NOBODY),
            f"/dev/shm/my-tool.program-{NOBODY}",
        ),
    ],
)
def test_next_that_fits(tool: Path, system: System, expected: str) -> None:
    done = system.start(tool, times=2)
    assert (done.stdout, done.stderr) == (f"{expected}/{payload_digest(tool)}/my-tool\n" * 2, "")


def payload_digest(tool: Path) -> str:
    """Return the digest in the file's head."""
    head = tool.read_bytes().split(b"\x1f\x8b", 1)[0].decode()
    return head.partition("made=$1/")[2].partition("\n")[0]


def test_nothing_fits(tool: Path) -> None:
    nowhere = dict.fromkeys(SYSTEM, "ro") | {"/srv": "noexec"}
    done = System(nowhere, home="/srv").start(tool)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "my-tool: nowhere to unpack: set MY_TOOL_CACHE_DIR to a folder of yours that may hold"
        " programs. Tried: /srv/.cache/my-tool.program (mounted noexec),"
        " /var/cache/my-tool.program (can't be made),"
        " /run/user/0/my-tool.program (no such folder),"
        " /var/tmp/my-tool.program-0 (can't be made),"
        " /tmp/my-tool.program-0 (can't be made),"
        " /dev/shm/my-tool.program-0 (can't be made)\n"
    )


# What can go wrong with the file


@pytest.mark.parametrize("place", [0, 30, -1])
def test_flipped_byte(launch: Start, tool: Path, cache: Path, place: int) -> None:
    flip(tool, place)
    refused(launch(), cache)


def test_cut_off(launch: Start, tool: Path, cache: Path) -> None:
    tool.write_bytes(tool.read_bytes()[:-100])
    refused(launch(), cache)


def flip(tool: Path, place: int) -> None:
    """Change one bit of the payload, at a place counted from its beginning or its end."""
    head, mark, rest = tool.read_bytes().partition(b"\x1f\x8b")
    content = bytearray(mark + rest)
    content[place] ^= 1
    tool.write_bytes(head + content)


def refused(done: Done, cache: Path) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "my-tool: this file is damaged: its content is not what was built. Get it again.\n"
    )
    assert not cache.parent.exists()


def test_without_sha256sum(
    start: Start, tool: Path, cache: Path, few: Callable[[str], str]
) -> None:
    path = few("sha256sum")
    flip(tool, -100)
    refused(start(tool, env={"PATH": path}), cache)
    flip(tool, -100)
    assert where(start(tool, env={"PATH": path})) == cache


@pytest.mark.parametrize("name", ["gzip", "tar", "mktemp"])
def test_missing_tool(start: Start, tool: Path, few: Callable[[str], str], name: str) -> None:
    done = start(tool, env={"PATH": few(name)})
    line = f"my-tool: the first start needs {name}, which is not here\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


# Several starts, and starts that end too soon


def test_many_first_starts_at_once(launch: Start, tool: Path, cache: Path) -> None:
    build(tool, os.urandom(300_000))
    with ThreadPoolExecutor(20) as pool:
        starts = [pool.submit(launch) for _ in range(20)]
    assert [where(each.result()) for each in starts] == [cache] * 20
    digest(cache)  # fails if anything else is there


STEPS = [tool for tool in TOOLS if tool != "id"]
MOMENTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]


@pytest.mark.parametrize("moment", [*MOMENTS, "amid tar"])
def test_killed_at_any_moment(
    start: Start, tool: Path, cache: Path, wrap: Callable[[str], Path], moment: str
) -> None:
    when, step = moment.split()
    log = wrap(
        f'[ $TOOL = {step} ] || exec "$REAL" "$@"\n'
        f'[ {when} != amid ] || head -c 2000 | "$REAL" "$@"\n'  # the program, and half its files
        f'[ {when} != after ] || "$REAL" "$@"\n'
        'echo killed >>"$LOG"; kill -9 0'
    )
    path = f"{log.parent}:{SYSTEM_PATH}"
    assert start(tool, env={"PATH": path}, start_new_session=True).returncode == -signal.SIGKILL
    assert log.read_text()

    again = start(tool, "data")
    assert (again.stdout, again.stderr) == ("data", "")
    other = build(tool.with_name("other"), b"other")  # only a start that unpacks removes leftovers
    assert start(other, "data").stdout == "other"
    assert {len(path.name) for path in cache.iterdir()} == {64}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stopped_while_unpacking(
    start: Start, tool: Path, cache: Path, wrap: Callable[[str], Path], sent: int
) -> None:
    log = wrap(f'[ $TOOL != tar ] || {{ echo >>$LOG; kill -{sent} 0; }}\nexec "$REAL" "$@"')
    path = f"{log.parent}:{SYSTEM_PATH}"
    done = start(tool, env={"PATH": path}, start_new_session=True)
    assert log.read_text()
    assert (done.returncode, done.stdout) == (-sent, "")
    end = time.monotonic() + 10
    while any(cache.iterdir()):
        assert time.monotonic() < end, "what was begun is still there"
        time.sleep(0.01)


def test_one_that_is_unpacking_is_left_alone(start: Start, tool: Path, cache: Path) -> None:
    alive = cache / f"new.{os.getpid()}.abcdef"
    alive.mkdir(parents=True)
    cache.chmod(0o700)
    assert where(start(tool)) == cache
    assert alive.exists()


def test_one_whose_folder_was_cleared_away_puts_nothing_half_in_place(
    start: Start, tool: Path, cache: Path, home: Path, wrap: Callable[[str], Path]
) -> None:
    # as a start in another container does, which shares the cache but not the process numbers
    away = home / "away"
    log = wrap(
        '[ "$TOOL" = sync ] || exec "$REAL" "$@"\n'
        f"[ -d {away} ] || {{ mv {cache}/new.* {away} && rm -rf {away}/*/_internal; }}"
    )
    done = start(tool, env={"PATH": f"{log.parent}:{SYSTEM_PATH}"})
    assert where(done) == home / ".cache" / "my-tool.program"
    assert not list(cache.iterdir())


def test_cache_that_lost_its_program_is_mended(launch: Start, cache: Path) -> None:
    launch()
    (cache / digest(cache) / "my-tool").unlink()
    assert where(launch()) == cache
    digest(cache)


# The file itself


def test_shellcheck(tool: Path, folder: Path) -> None:
    checker = shutil.which("shellcheck") or missing("shellcheck")
    head = folder / "head.sh"
    head.write_bytes(tool.read_bytes().split(b"\x1f\x8b", 1)[0])
    done = subprocess.run([checker, head], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_same_input_gives_the_same_bytes() -> None:
    head, content = LAUNCHER.read_text("utf-8"), payload({"my-tool": (0o555, b"program")})
    assert onefile(head, TOKENS, content) == onefile(head, TOKENS, content)


@pytest.mark.parametrize("size", [1, 92, 93, 94, 990, 991, 992, 993, 994])
def test_payload_is_found_whatever_the_head_s_length(size: int) -> None:
    made = onefile("x" * size + "\ntail -c +@skip@ | @digest@\n", {}, b"payload")
    skip = int(made.partition(b"+")[2].partition(b" ")[0])
    assert made[skip - 1 :] == b"payload"


@pytest.mark.parametrize(
    ("head", "line"),
    [("echo @nobody@\n", "@nobody@ has no value"), ("exit", "the head's last line has no end")],
)
def test_head_that_cannot_be_one(head: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        onefile(head, TOKENS, b"")
