"""Writes a YUM repository by createrepo_c(8), for Red Hat's family and SUSE's."""

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from ...deploy.build.openpgp import Signer
from ...lib.console import TaskError
from ...lib.process import run

SUFFIX = ".rpm"
CLIENT = "repo"
_TOOL = "createrepo_c"
_LEAD = 96  # bytes before the header with the signatures
_HEADER = struct.Struct(">4s4xII")  # magic, number of entries, bytes of data
_ENTRY = struct.Struct(">I12x")  # which tag it is
_MAGIC = b"\x8e\xad\xe8\x01"
_SIGNATURES = {267, 268, 1002, 1005}  # DSA and RSA, of the header and of all


def require() -> None:
    """Raise `TaskError` where the tool is missing."""
    if not shutil.which(_TOOL):
        raise TaskError(f"a YUM repository needs {_TOOL}: install it, or give --only apt")


def write(
    folder: Path, name: str, packages: Mapping[str, Path], signer: Signer | None, url: str
) -> str:
    """Write a repository, and return the file by which dnf knows it (dnf.conf(5))."""
    folder.mkdir(parents=True)
    for file, path in packages.items():
        shutil.copyfile(path, folder / file)
    run([_TOOL, "--quiet", "--no-database", folder])
    index = folder / "repodata" / "repomd.xml"
    if signer:
        signer.detached(index, index.with_name("repomd.xml.asc"))
    # The signed index has a checksum of every package, signed or not.
    all_signed = bool(signer) and all(map(is_signed, packages.values()))
    lines = [f"[{name}]", f"name={name}", f"baseurl={url}", "enabled=1",
             f"repo_gpgcheck={int(bool(signer))}", f"gpgcheck={int(all_signed)}"]  # fmt: skip
    if signer:
        lines.append(f"gpgkey=file:///etc/pki/rpm-gpg/{name}.asc")
    return "".join(f"{line}\n" for line in lines)


def is_signed(package: Path) -> bool:
    """Return whether a package has an OpenPGP signature, by whatever key."""
    with package.open("rb") as file:
        file.seek(_LEAD)
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size or not head.startswith(_MAGIC):
            raise TaskError(f"{package} is no RPM package")
        _, entries, _ = _HEADER.unpack(head)
        table = file.read(entries * _ENTRY.size)
    return any(tag in _SIGNATURES for (tag,) in _ENTRY.iter_unpack(table))
