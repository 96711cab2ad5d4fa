"""The command line, `NAME-admin`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from . import (
    activate,
    advisories,
    foreground,
    installation,
    place,
    release,
    settings,
    signature,
    status,
    trial,
)
from . import tree as trees
from .errors import HostError, Misuse, one_line
from .installation import Installation
from .staging import is_bundle, sums_of
from .uninstall import uninstall

_UMASK = 0o022
_WAIT_PAUSE = 1.0


def main(tree: Path, argv: Sequence[str] | None = None) -> int:
    """Run the command line of the engine in the release `tree`.

    Return the exit code: 0 done; 1 refused or failed, with the earlier state kept; 2 wrong usage.
    """
    os.umask(_UMASK)
    try:
        facts = release.read(tree)
        given = _parser(facts.name).parse_args(argv)
        where = place.find(facts.name, tree, getattr(given, "prefix", None) or "")
        this = installation.of(where, facts.traits, _say(facts.name, quiet=given.json))
        run: Callable[[_Call], int] = given.run
        return run(_Call(this, tree, facts, given))
    except HostError as error:
        return _failed(str(error), error.exit_code)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        return _failed(f"{what}{(error.strerror or str(error)).lower()}", 1)
    except KeyboardInterrupt:
        return _failed("interrupted; the next run undoes what was begun", 1)


class _Call:
    """One call of the engine: the installation, the release that runs it, and its arguments."""

    def __init__(
        self, this: Installation, tree: Path, facts: release.Release, given: argparse.Namespace
    ) -> None:
        self.this = this
        self.tree = tree
        self.facts = facts
        self.given = given


def _activate(call: _Call) -> int:
    given, this = call.given, call.this
    request = activate.Request(
        settings=settings.given(given.settings, this.place.name) if given.settings else {},
        key=given.key or "",
        require_signature=given.require_signature,
        built_here=given.built_here,
        allow_downgrade=given.allow_downgrade,
    )
    if given.to and given.tree:
        raise Misuse("--to takes no release tree (see activate --help)")
    if given.built_here and (given.key or given.require_signature):
        raise Misuse("--built-here asks for no signature: leave out --key and --require-signature")
    if given.to:
        activate.installed(this, given.to, request)
    else:
        source = Path(given.tree).resolve() if given.tree else call.tree
        if not source.is_dir():
            raise Misuse(f"there is no folder '{given.tree}'")
        activate.tree(this, source, request)
    return _finish(call)


def _rollback(call: _Call) -> int:
    activate.rollback(call.this, call.given.to or "")
    return _finish(call)


def _finish(call: _Call) -> int:
    """Wait for the end of the trial with --wait-trial, and print the status with --json."""
    this, active = call.this, call.this.active
    while call.given.wait_trial and status.status(this).trial:
        this.clock.sleep(_WAIT_PAUSE)
    if this.active != active:
        raise HostError(this.states.load().said or f"{active} is not the active one any more")
    if call.given.json:
        print(status.as_json(status.status(this)))
    return 0


def _status(call: _Call) -> int:
    found = status.status(call.this)
    if call.given.json:
        print(status.as_json(found))
    else:
        for title, text in status.rows(found):
            print(f"{title:11}{text}")
    return 0 if found.is_healthy else 1


def _history(call: _Call) -> int:
    try:
        events = call.this.history.events()
    except PermissionError:
        raise HostError(
            "only the user who installed it may read the history: run it with sudo"
        ) from None
    if call.given.json:
        print(json.dumps(events))
        return 0
    if not events:
        raise HostError("nothing was ever activated here")
    for event in events:
        why = f"  {event['why']}" if "why" in event else ""
        print(f"{event['time']}  {event['event']:8}  {event['release']}{why}")
    return 0


def _verify(call: _Call) -> int:
    this, given = call.this, call.given
    path = Path(given.path).resolve() if given.path else this.place.releases / this.active
    sums = sums_of(path)
    if not sums.exists() and not is_bundle(path):
        raise HostError(f"{path} is neither a release nor a bundle: it has no checksums")
    trusted = signature.trust(this.place, given.key or "", required=given.require_signature)
    if wrong := trees.faults(path, sums):
        for line in wrong:
            print(line, file=sys.stderr)
        raise HostError(f"{path} is not whole: its files that are wrong are named above")
    signature.require_signed(trusted, this.place.name, sums, path)
    signed = f", signed by a key in {trusted.file}" if trusted.file else ""
    count = len(sums.read_text(encoding="utf-8").splitlines())
    if given.json:
        print(json.dumps({"path": str(path), "files": count, "signed": bool(trusted.file)}))
    else:
        print(f"{path} is whole: {count} files{signed}")
    return 0


def _audit(call: _Call) -> int:
    """Return 1 if a release is affected, 2 if that cannot be told of each, else 0."""
    known = advisories.read(Path(call.given.file))
    this, path = call.this, call.given.path
    try:
        bills = {name: this.place.releases / name for name in this.releases()}
        bills = {one_line(path): Path(path)} if path else bills
        found = {name: known.judge(tree / advisories.BILL) for name, tree in bills.items()}
    except OSError as error:
        raise advisories.Unusable(f"{error.filename}: {(error.strerror or '').lower()}") from error
    if not found:
        raise advisories.Unusable(f"no release of {this.place.name} is installed here")
    if call.given.json:
        releases = {name: asdict(verdict) for name, verdict in found.items()}
        print(json.dumps({"made": known.made.isoformat(), "releases": releases}))
        return advisories.exit_code(found.values())
    for name, verdict in found.items():
        shown = f"{name} (active)" if name == this.active and not path else name
        print(*(f"{shown}: {line}" for line in verdict.lines()), sep="\n")
    print(known.age())
    return advisories.exit_code(found.values())


def _uninstall(call: _Call) -> int:
    uninstall(call.this, call.facts.user, purge=call.given.purge)
    if call.given.json:
        print(json.dumps({"removed": str(call.this.place.base)}))
    return 0


def _run(call: _Call) -> int:
    foreground.run(call.this, call.given.words)


def _superseded(call: _Call) -> int:
    status.require_superseded(call.this, call.given.release)
    return 0


def _guard(call: _Call) -> int:
    trial.guard(call.this)
    return 0


def _watch(call: _Call) -> int:
    trial.watch(call.this)
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Misuse(f"{message} (see {self.prog} --help)")


def _filled(given: str) -> str:
    """Return `given`. Refuse an empty value, which an unset shell variable leads to."""
    if not given:
        raise argparse.ArgumentTypeError("it is empty")
    return given


def _parser(name: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"{name}-admin",
        description=f"Installs, switches, watches and removes releases of {name} on this machine.",
        epilog="Exit codes: 0 done; 1 refused or failed, what was there before is as it was; "
        "2 wrong usage. DEPLOY_LOCK_SECONDS says how long to wait for another run (60).",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    common = _Parser(add_help=False)
    common.add_argument(
        "--json", action="store_true", help="answer for programs, as one JSON value"
    )
    common.add_argument("--prefix", metavar="DIR", type=_filled, help=_PREFIX)

    def add(command: str, run: Callable[[_Call], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            command, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[common],
            allow_abbrev=False,
        )  # fmt: skip
        made.set_defaults(run=run)
        return made

    _add_activate(add("activate", _activate, "install a release and switch to it"))
    add("status", _status, "show what is active, whether it is healthy, and what else is here")
    add("history", _history, "show what was activated when, and what failed")
    back = add("rollback", _rollback, "switch to the release before this one; again, one further")
    back.add_argument("--to", metavar="RELEASE", type=_filled, help="to this installed one")
    back.add_argument("--wait-trial", action="store_true", help="wait for the end of its trial")
    check = add("verify", _verify, "check every file of a release or a bundle, and its signature")
    check.add_argument("path", nargs="?", metavar="PATH", help="default: the active release")
    _add_signature(check)
    asked = add("audit", _audit, "name the releases here that known vulnerabilities affect")
    asked.epilog = "Exit codes: 0 none; 1 some are affected; 2 that cannot be told of each release."
    asked.add_argument("file", metavar="FILE", type=_filled, help=_ADVISORIES)
    asked.add_argument("path", nargs="?", metavar="TREE", type=_filled, help=_UNPACKED)
    own = add("run", _run, "run a command of the program as its service runs (NAME --help)")
    own.add_argument("words", nargs=argparse.REMAINDER, metavar="WORD", help=_WORDS)
    gone = add("uninstall", _uninstall, "remove the service and all releases")
    gone.add_argument("--purge", action="store_true", help="also configuration, data and the user")
    old = add("superseded", _superseded, "(for rpm) fail while a newer package is not active")
    old.add_argument("release", metavar="RELEASE")
    add("guard", _guard, "(for the unit) undo what was interrupted, before the service starts")
    add("watch", _watch, "(for the unit) watch the release on trial")
    return parser


def _add_activate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("tree", nargs="?", metavar="TREE", help=_TREE)
    add("--to", metavar="RELEASE", type=_filled, help="switch to a release that is installed")
    add("--settings", metavar="DIR", type=_filled, help=_SETTINGS)
    _add_signature(parser)
    add("--built-here", action="store_true", help=_BUILT_HERE)
    add(
        "--allow-downgrade",
        action="store_true",
        help="even if TREE is older than the active release",
    )
    add("--wait-trial", action="store_true", help="wait for the end of its trial")


def _add_signature(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--key", metavar="FILE", type=_filled, help=_KEY)
    add("--require-signature", action="store_true", help="refuse where no key is known")


_PREFIX = (
    "what is, or is to be, installed below DIR (default: the whole machine's for root, else "
    "~/.local)"
)
_TREE = "an unpacked archive or bundle (default: the release that this engine lies in)"
_SETTINGS = (
    "the settings to use from now on, NAME.env, secrets.env or both; if it does not become healthy "
    "with them, the old ones are back with the old release"
)
_BUILT_HERE = "TREE was made on this machine, and whoever made it has checked its origin"
_WORDS = "the command and its arguments, such as: manage createsuperuser"
_ADVISORIES = "the file with the advisories, as `invoke deps.advisories` writes it"
_UNPACKED = "an unpacked release to look at instead (default: all that are installed)"
_KEY = "the OpenSSH public key that it must be signed with; kept when none is known yet"


def _say(name: str, *, quiet: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        print(f"{name}: {text}", file=sys.stderr if quiet else sys.stdout, flush=True)

    return say


def _failed(text: str, code: int) -> int:
    print(f"error: {one_line(text, 1000)}", file=sys.stderr)
    return code
