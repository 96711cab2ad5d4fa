"""Attacks that fail: by other users of a machine, by the service's user, and by bad trees."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.soak import SOAK

from .conftest import NewMachine
from .faults import ADMIN, activate, events, instead_of_systemctl, names, order
from .machine import Machine
from .releases import HEALTH_SECONDS, NAME, Releases
from .service import BASE, active, answer, error, unpack, whole
from .test_signature import sign, trust

TRIES = 40 if SOAK else 8
"""How often something is exchanged while it is read."""
MARK = "/root/ran"
"""The file that an evil program writes if it runs."""
EVIL = f"#!/bin/sh\necho evil >>{MARK}\n"
TOUCHED = f"/opt/{NAME} /etc/{NAME} /run/{NAME}* /var/lib/{NAME} /etc/systemd/system /run/systemd"

# Opens and locks whatever it can, again and again.
HOLD = r"""
use Fcntl qw(:flock :DEFAULT);
my %held;
$| = 1;
for (;;) {
    open(my $found, "-|", "find -L @ARGV -print0 2>/dev/null");
    local $/ = "\0";
    while (defined(my $path = <$found>)) {
        chomp $path;
        next if $held{$path} or -p $path;
        sysopen(my $file, $path, O_RDONLY | O_NONBLOCK) or next;
        $held{$path} = $file if flock($file, LOCK_EX | LOCK_NB);
    }
    print scalar(keys %held), "\n";
    select(undef, undef, undef, 0.1);
}
"""

# Replaces a file by another one and puts it back, again and again, after a moment each time.
SWAP = r"""
my ($one, $other) = @ARGV;
for (;;) {
    rename($one, "$one.kept"); rename($other, $one);
    select(undef, undef, undef, rand(0.05));
    rename($one, $other); rename("$one.kept", $one);
    select(undef, undef, undef, rand(0.05));
}
"""


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases, keys: Path) -> Machine:
    """Return a machine on which 0.1.0 serves, with a key of ours; 0.6.0 lies signed in /srv."""
    machine = new_machine("user")
    machine.run("useradd", "--create-home", "mallory")
    machine.run(f"{unpack(machine, releases['old'])}/install")
    trust(machine, (keys / "ours.pub").read_text())
    sign(machine.path(unpack(machine, releases["obeys"])), keys / "ours")
    return machine


@pytest.fixture
def served(machine: Machine) -> Iterator[Machine]:
    """Return it as it was before the last test; check after this one that nothing evil has run."""
    back(machine)
    yield machine
    assert not machine.path(MARK).exists()


def back(machine: Machine) -> None:
    """Make 0.1.0 the active and only release, and let every version behave."""
    order(machine)
    if active(machine) != "0.1.0":
        machine.run(ADMIN, "rollback", "--to", "0.1.0")
    machine.sh(f"rm -rf /srv/evil {MARK} {BASE}/package; cd {BASE}/releases && rm -rf 0.[!1]*")
    assert answer(machine) == "0.1.0"


@contextmanager
def running(machine: Machine, user: str, script: str, *arguments: str) -> Iterator[None]:
    """Run a Perl script as a user of the machine for a while."""
    limit = 'ulimit -n $(ulimit -H -n); (setpriv --init-groups "$@" >&2 & read end; kill -9 $!)'
    process = machine.background(
        "sh", "-c", limit, "sh", f"--reuid={user}", f"--regid={user}",
        "perl", "-e", script, *arguments,
    )  # fmt: skip
    try:
        time.sleep(0.5)
        assert process.poll() is None, process.communicate()
        yield
    finally:
        _, said = process.communicate(timeout=10)
        print(said.strip()[-40:])


def tampered(machine: Machine, keys: Path, how: str) -> None:
    """Make /srv/evil of the signed tree, with programs that leave a mark when they run."""
    machine.run("cp", "-R", "/srv/0.6.0", "/srv/evil")
    tree = machine.path("/srv/evil")
    for program in (NAME, ADMIN):
        (tree / "bin" / program).chmod(0o755)
        (tree / "bin" / program).write_text(EVIL)
    if how != "changed after it was signed":
        machine.sh("cd /srv/evil && sums=$(sed 's/^[0-9a-f]*  //' SHA256SUMS | tr '\\n' '\\0' |"
                   " xargs -0 sha256sum) && echo \"$sums\" >SHA256SUMS")  # fmt: skip
    if how == "not signed":
        (tree / "SHA256SUMS.sig").unlink()
    if how == "signed by another":
        sign(tree, keys / "theirs")


def refused(machine: Machine, tree: str = "/srv/evil") -> str:
    """Try to activate a tree, which must be refused at once without a trace; return the reason."""
    said = activate(machine, tree, "--require-signature", seconds=20)
    assert said.returncode == 1, said
    assert active(machine) == "0.1.0"
    assert names(machine) == ["0.1.0"]
    left = names(machine, f"{BASE}/.engine")
    assert not [name for name in left if name.startswith(("staging", "removed"))]
    return error(said)


def test_users_who_lock_all_that_they_can_open_hold_up_nothing(served: Machine) -> None:
    impatient = ("env", "DEPLOY_LOCK_SECONDS=3", ADMIN)
    with (
        running(served, "mallory", HOLD, *TOUCHED.split()),
        running(served, NAME, HOLD, *TOUCHED.split()),
    ):
        served.run(*impatient, "activate", "/srv/0.6.0", seconds=30)
        served.run(*impatient, "rollback", seconds=30)
        assert active(served) == answer(served) == "0.1.0"
        served.run(*impatient, "activate", "/srv/0.6.0", seconds=30)
        # A restart on trial leads back, without waiting for those locks.
        served.run("systemctl", "restart", NAME, seconds=20)
        assert active(served) == answer(served) == "0.1.0"


@pytest.mark.parametrize(
    "how",
    ["not signed", "signed by another", "changed after it was signed", "changed with its sums"],
)
def test_nothing_of_a_tree_that_is_not_rightly_signed_runs(
    how: str, served: Machine, keys: Path
) -> None:
    tampered(served, keys, how)
    why = {"not signed": "it is not signed", "changed after it was signed": "is not whole"}
    assert why.get(how, "its signature is not by a key in") in refused(served)


def test_another_users_file_in_a_signed_tree_is_copied_and_not_taken(served: Machine) -> None:
    served.run("cp", "-R", "/srv/0.6.0", "/srv/evil")
    served.sh(f"cp /srv/evil/host/{NAME}.env /home/mallory/mine && chmod 644 /home/mallory/mine"
              " && chown mallory /home/mallory/mine"
              f" && ln -f /home/mallory/mine /srv/evil/host/{NAME}.env"
              f" && cp -R /srv/evil {BASE}/package"
              f" && ln -f /home/mallory/mine {BASE}/package/host/{NAME}.env")  # fmt: skip
    order(served, v060="die")  # it is not about the switch, which takes time
    for tree in ("/srv/evil", f"{BASE}/package"):
        activate(served, tree, "--require-signature")
        served.sh("runuser -u mallory -- sh -c 'echo PATH=/home/mallory >>/home/mallory/mine'")
        assert names(served) == ["0.1.0", "0.6.0"]
        assert whole(served, "0.6.0")
        assert served.sh(f"find {BASE}/releases ! -uid 0").stdout == ""
        served.sh(f"cat /srv/0.6.0/host/{NAME}.env >/home/mallory/mine")
        served.run("rm", "-rf", f"{BASE}/releases/0.6.0")


def test_links_to_another_users_files_are_refused(served: Machine) -> None:
    served.run("cp", "-R", "/srv/0.6.0", "/srv/evil")
    served.sh("cp -R /srv/evil/host /home/mallory/ && chown -R mallory /home/mallory/host")
    served.sh(f"ln -sf /home/mallory/host/{NAME}.env /srv/evil/host/{NAME}.env")
    assert f"host/{NAME}.env is neither a file nor a folder" in refused(served)
    served.sh("rm -r /srv/evil/host && ln -s /home/mallory/host /srv/evil/host")
    assert "host is neither a file nor a folder" in refused(served)
    served.sh("rm -r /home/mallory/host")


def test_a_source_that_is_exchanged_while_it_is_read_gets_nothing_unsigned_in(
    served: Machine,
) -> None:
    served.run("cp", "-R", "/srv/0.6.0", "/home/mallory/tree")
    program = f"/home/mallory/tree/bin/{ADMIN}"
    served.path("/home/mallory/other").write_text(EVIL)
    served.sh(f"chmod 755 /home/mallory/other {program}; chown -R mallory /home/mallory")
    order(served, v060="die")  # it is not about the switch, which takes time
    came_in: list[bool] = []
    with running(served, "mallory", SWAP, program, "/home/mallory/other"):
        # Both must happen, and each takes luck.
        while len(came_in) < TRIES or (len(came_in) < 10 * TRIES and len(set(came_in)) < 2):
            said = activate(served, "/home/mallory/tree", "--require-signature")
            assert active(served) == "0.1.0"
            found = served.sh(f"grep -rl {MARK} {BASE}", check=False).stdout
            assert found == "", said
            came_in.append("0.6.0" in names(served))
            assert not came_in[-1] or whole(served, "0.6.0")
            served.run("rm", "-rf", f"{BASE}/releases/0.6.0")
    print(f"exchanged while it was read, and let in: {came_in}")
    assert set(came_in) == {True, False}
    served.run("rm", "-r", "/home/mallory/tree")


ODD = {
    "a pipe beside": "mkfifo extra",
    "a pipe for a program": f"rm bin/{NAME}; mkfifo bin/{NAME}",
    "a pipe for the facts": "rm host/release.json; mkfifo host/release.json",
    "a pipe for the checksums": "rm SHA256SUMS; mkfifo SHA256SUMS",
    "a pipe for the signature": "rm SHA256SUMS.sig; mkfifo SHA256SUMS.sig",
    "no end of facts": "ln -sf /dev/zero host/release.json",
    "no end of checksums": "ln -sf /dev/zero SHA256SUMS",
    "a line's end in a name": f"""touch "host/x
{"0" * 64}  y" """,
    "a name that erases": "touch \"$(printf 'host/\\033[2K')\"",
    "a file that is not listed": "touch host/extra",
}


@pytest.mark.parametrize("what", ODD)
def test_odd_files_are_refused_at_once(what: str, served: Machine) -> None:
    served.sh(f"cp -R /srv/0.6.0 /srv/evil; cd /srv/evil; {ODD[what]}")
    line = refused(served)
    assert line.isprintable()


def test_a_signed_tree_of_another_project_is_refused(served: Machine, keys: Path) -> None:
    served.run("cp", "-R", "/srv/0.6.0", "/srv/evil")
    facts = served.path("/srv/evil/host/release.json")
    facts.chmod(0o644)
    facts.write_text(facts.read_text().replace(f'"name": "{NAME}"', '"name": "other"'))
    served.sh("cd /srv/evil && new=$(sha256sum host/release.json) &&"
              ' sed -i "s|.*  host/release.json|$new|" SHA256SUMS')  # fmt: skip
    sign(served.path("/srv/evil"), keys / "ours")
    assert "other" in refused(served)


def test_an_older_signed_tree_cannot_be_put_in_the_place_of_the_one_that_was_looked_at(
    served: Machine, keys: Path
) -> None:
    served.run(ADMIN, "activate", "/srv/0.6.0")
    served.run("cp", "-R", "/srv/0.1.0", "/srv/evil")
    sign(served.path("/srv/evil"), keys / "ours")
    served.sh("cp /srv/0.6.0/host/release.json /srv/other && chmod 777 /srv /srv/evil/host")
    with running(served, "mallory", SWAP, "/srv/evil/host/release.json", "/srv/other"):
        for _ in range(TRIES):
            said = served.run(ADMIN, "activate", "/srv/evil", check=False)
            assert said.returncode == 1
            assert active(served) == "0.6.0"
    served.sh("rm /srv/other; chmod 755 /srv")


def test_a_prefix_that_another_user_could_exchange_is_refused_for_root(served: Machine) -> None:
    served.sh("mkdir -m 777 /srv/open; mkdir -p /home/mallory/a/deep")
    served.sh("chown root /home/mallory/a/deep")
    for prefix, why in {
        "/home/mallory/a": "belongs to mallory",
        "/home/mallory/a/deep": "belongs to mallory",
        "/home/mallory/new": "belongs to mallory",
        "/srv/open/new": "others may write to /srv/open",
    }.items():
        said = served.run("/srv/0.1.0/install", "--prefix", prefix, check=False)
        assert said.returncode == 1
        assert why in error(said)
        assert "give another --prefix" in error(said)
        assert not served.path(f"{prefix}/opt").exists()


def test_the_services_environment_does_not_reach_what_runs_as_root(served: Machine) -> None:
    served.sh("mkdir -p /home/mallory/bin")
    for program in ("systemctl", "journalctl", "sh", ADMIN, "ssh-keygen"):
        served.path(f"/home/mallory/bin/{program}").write_text(EVIL)
        served.path(f"/home/mallory/bin/{program}").chmod(0o755)
    settings = served.path(f"/etc/{NAME}/{NAME}.env")
    kept = settings.read_text()
    settings.write_text(f"{kept}\nPATH=/home/mallory/bin:/usr/bin\nLD_PRELOAD=/nowhere/evil.so\n")
    try:
        served.run(ADMIN, "activate", "/srv/0.6.0")
        served.run("systemctl", "restart", NAME)  # on trial: the guard has something to do
        assert active(served) == answer(served) == "0.1.0"
        served.run("journalctl", "--sync")

        def said(unit: str) -> str:
            return served.run("journalctl", "-o", "cat", f"_SYSTEMD_UNIT={unit}").stdout

        assert "/nowhere/evil.so" in said(f"{NAME}.service")  # so it would be seen elsewhere too
        assert "went back to 0.1.0" in said(f"{NAME}-guard.service")
        for unit in ("guard", "trial"):
            assert "/nowhere/evil.so" not in said(f"{NAME}-{unit}.service")
            shown = served.run(
                "systemctl", "show", "-p", "Environment,EnvironmentFiles,PassEnvironment",
                f"{NAME}-{unit}",
            )  # fmt: skip
            assert set(shown.stdout.split()) <= {"Environment=", "PassEnvironment="}
    finally:
        settings.write_text(kept)
        served.run("systemctl", "restart", NAME)


def test_control_characters_in_a_health_answer_reach_no_terminal_and_no_program(
    served: Machine,
) -> None:
    served.run(ADMIN, "activate", "/srv/0.6.0")
    order(served, v060="strange")
    for options in (("--json",), ()):
        said = served.run(ADMIN, "status", *options, check=False)
        assert said.returncode == 1
        assert all(line.isprintable() for line in said.stdout.splitlines())
    found = json.loads(served.run(ADMIN, "status", "--json", check=False).stdout)
    assert found["service"].startswith("not healthy: release is 0.6.0?[2J")
    assert all(str(value).isprintable() for value in found.values())


SECRET = "password=hunter2"  # noqa: S105 (of nobody)  # pragma: allowlist secret


def test_the_reason_of_a_death_is_never_another_services_line(served: Machine) -> None:
    # Another service logs under our identifier, by processes that had the numbers of ours.
    other = served.path("/etc/systemd/system/other.service")
    log = f"for n in $(seq 300); do (echo {SECRET}); done; exec sleep 1000"
    other.write_text(f"[Service]\nSyslogIdentifier={NAME}\nExecStart=/bin/sh -c '{log}'\n")
    served.sh("systemctl daemon-reload && systemctl start other && journalctl --sync")
    number = int(served.run("systemctl", "show", "-p", "MainPID", "--value", "other").stdout)
    order(served, v060="die")
    with numbers_from(served, number + 100):
        said = activate(served, "/srv/0.6.0")
    assert said.returncode == 1
    assert "the program ended with status 3" in error(said)
    assert "the program ended with status 3" in events(served)[-1]["why"]
    died = served.read(f"/var/lib/{NAME}/died")
    assert SECRET in served.sh(f"journalctl _PID={died}").stdout  # the process number misleads
    served.run("systemctl", "stop", "other")
    other.unlink()
    assert SECRET not in said.stdout + said.stderr + served.read(f"{BASE}/.engine/history")


@contextmanager
def numbers_from(machine: Machine, number: int) -> Iterator[None]:
    """Let new processes of the machine get numbers from `number` on, during the block."""
    loop = f"while :; do echo {number} >/proc/sys/kernel/ns_last_pid; done"
    process = machine.in_its_numbers("sh", "-c", f"({loop}) & read end; kill -9 $!")
    try:
        yield
    finally:
        process.communicate(timeout=10)


def test_what_the_engine_keeps_is_not_for_other_users(served: Machine) -> None:
    for user in ("mallory", NAME):
        for path in ("history", "state.json", "lock", ""):
            looked = served.run(
                "runuser", "-u", user, "--", "head", "-c1", f"{BASE}/.engine/{path}", check=False
            )
            assert "Permission denied" in looked.stderr
        said = served.run("runuser", "-u", user, "--", ADMIN, "history", check=False)
        assert "run it with sudo" in error(said)


FAILURES = {
    "the new release's start hangs": (
        f'"start {NAME}-next"*',
        "exec sleep 1000",
        f"systemctl start: no answer in {HEALTH_SECONDS + 10} s",
    ),
    "the new release's start fails": (f'"start {NAME}-next"*', "exit 1", "systemctl start: exit"),
    "daemon-reload fails": (
        "daemon-reload",
        "echo no more memory >&2; exit 1",
        "systemctl daemon-reload: no more memory",
    ),
    "the signal fails": ('"kill "*', "echo gone >&2; exit 1", "systemctl kill: gone"),
    "the restart fails": (
        '"restart "*',
        "[ -e /run/failed ] || { touch /run/failed; echo no >&2; exit 1; }",
        "systemctl restart: no",
    ),
    "everything hangs": ("*", "exec sleep 1000", "systemctl show: no answer in 10 s"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_systemctl_that_hangs_or_fails_is_a_reason_and_the_old_release_serves(
    what: str, served: Machine
) -> None:
    pattern, action, why = FAILURES[what]
    with instead_of_systemctl(served, f'case "$*" in {pattern}) {action} ;; esac'):
        begun = time.monotonic()
        said = activate(served, "/srv/0.6.0", seconds=60)
        print(f"{what}: {time.monotonic() - begun:.1f} s")
        assert said.returncode == 1
        assert why in error(said)
        assert active(served) == answer(served) == "0.1.0"
    served.run("rm", "-f", "/run/failed")
    assert served.sh(f"systemctl is-active {NAME}-next", check=False).stdout != "active\n"
    if what != "everything hangs":
        assert why in events(served)[-1]["why"]
