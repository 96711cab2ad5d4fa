"""Which signatures the engine accepts; the machine's own ssh-keygen makes and checks them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from host import signature
from host.disk import Disk
from host.errors import HostError, Misuse
from host.place import Place

from tests.support import missing


@pytest.fixture(autouse=True, scope="module")
def checker() -> None:
    if not shutil.which("ssh-keygen"):
        missing("the command ssh-keygen (tests/install-packages.sh)")


def keygen(*arguments: str | Path) -> None:
    subprocess.run(("ssh-keygen", "-q", *map(str, arguments)), check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("maker", "other"):
        keygen("-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
    return folder


@pytest.fixture
def sums(tmp_path: Path, keys: Path) -> Path:
    file = tmp_path / "SHA256SUMS"
    file.write_bytes(b"sums\n")
    keygen("-Y", "sign", "-n", "file", "-f", keys / "maker", file)
    return file


@pytest.fixture
def place(tmp_path: Path) -> Place:
    where = Place("demo", tmp_path, os.geteuid(), tmp_path)
    where.etc.mkdir(parents=True)
    return where


def judge(place: Place, sums: Path, key: Path) -> None:
    signature.require_signed(signature.trust(place, str(key), required=False), "demo", sums, "X")


def test_the_makers_signature_counts(place: Place, sums: Path, keys: Path) -> None:
    judge(place, sums, keys / "maker.pub")


def test_another_ones_does_not(place: Place, sums: Path, keys: Path) -> None:
    with pytest.raises(HostError, match="X is refused, nothing was changed: its signature is"):
        judge(place, sums, keys / "other.pub")


def test_one_of_several_keys_is_enough(place: Place, sums: Path, keys: Path) -> None:
    both = place.etc / "keys"
    both.write_text(
        "# ours\n\n"
        + (keys / "other.pub").read_text(encoding="utf-8")
        + (keys / "maker.pub").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    judge(place, sums, both)


def test_what_was_changed_afterwards_is_refused(place: Place, sums: Path, keys: Path) -> None:
    sums.write_bytes(b"other sums\n")
    with pytest.raises(HostError, match="or what it signs was changed"):
        judge(place, sums, keys / "maker.pub")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 100])
def test_a_signature_that_is_none_is_refused(
    place: Place, sums: Path, keys: Path, content: bytes
) -> None:
    sums.with_name("SHA256SUMS.sig").write_bytes(content)
    with pytest.raises(HostError, match="its signature is not"):
        judge(place, sums, keys / "maker.pub")
    sums.with_name("SHA256SUMS.sig").unlink()
    with pytest.raises(HostError, match="it is not signed"):
        judge(place, sums, keys / "maker.pub")


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe", b"-----BEGIN"])
def test_a_file_without_a_key_lets_nothing_in(place: Place, sums: Path, content: bytes) -> None:
    key = place.etc / "key"
    key.write_bytes(content)
    with pytest.raises(HostError, match="holds no public key that can be read"):
        judge(place, sums, key)


def test_a_key_speaks_for_the_project_only(place: Place, sums: Path, keys: Path) -> None:
    """The fields before a key in a list of signers cannot be smuggled in with the key."""
    key = place.etc / "key"
    content = (keys / "maker.pub").read_text(encoding="utf-8")
    key.write_text(f'namespaces="git" {content}', encoding="utf-8")
    with pytest.raises(HostError, match="its signature is not"):
        judge(place, sums, key)


def test_a_key_is_kept_once(place: Place, keys: Path) -> None:
    assert signature.trust(place, "", required=False).file is None
    with pytest.raises(HostError, match="no key is known"):
        signature.trust(place, "", required=True)
    for name in ("maker", "other"):
        given = signature.trust(place, str(keys / f"{name}.pub"), required=False)
        signature.keep(given, place, Disk())
    known = signature.trust(place, "", required=True)
    assert known.keys == ((keys / "maker.pub").read_text(encoding="utf-8").rstrip("\n"),)


def test_a_key_that_is_not_there_is_misuse(place: Place) -> None:
    with pytest.raises(Misuse, match="there is no file"):
        signature.trust(place, str(place.etc / "missing"), required=False)
