"""tasks.deploy.build.glibc: the newest version that anything in a folder asks for."""

from pathlib import Path

from tasks.deploy.build import glibc


def test_the_newest_version_of_any_elf_file_counts(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "one").write_bytes(b"\x7fELF..\0GLIBC_2.9\0GLIBC_2.17.1\0")
    (tmp_path / "lib/two").write_bytes(b"\x7fELF..\0GLIBC_2.35\0\0GLIBC_2.4\0")
    assert glibc.floor(tmp_path) == "2.35"


def test_what_only_looks_like_a_version_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\0GLIBC_2.40\0")
    (tmp_path / "elf").write_bytes(b"\x7fELF\0GLIBC_2.39x\0xGLIBC_2.38\0GLIBC_PRIVATE\0")
    (tmp_path / "link").symlink_to(tmp_path / "elf")
    assert glibc.floor(tmp_path) == "2.0"
