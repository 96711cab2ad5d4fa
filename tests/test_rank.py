"""tasks.deploy.scripts.release_rank: sort(1) puts ranks in the order of releases."""

import itertools
import os
import random
import sys
from pathlib import Path

import pytest
from packaging.version import Version
from tasks.deploy.scripts import release_rank

from tests.support import run

VERSIONS = """
    0 0.0.0 0.1 0.1.0 1.dev1 1.dev10 1a1.dev1 1a1.dev2 1a1 1a1.post1.dev3 1a1.post1 1a2 1a10 1b1
    1rc1.dev1 1rc1 1rc10 1 1.0 1+a 1+a.1 1+ab 1+abc 1+abc.a 1+1 1+1.a 1+1.2 1+10 1.post1.dev1
    1.post1.dev2 1.post1 1.post1+a 1.post2 1.post10 1.0.1.dev1 1.0.1 1.0.10 1.1.dev1 1.1 1.9 1.10
    1.2.3.4.5.6 2.dev1 9 10 2026.11.23 20261123120000 1!0.1.dev1 1!0.1 2!0
""".split()
EPOCHS = (0, 5, 1000, 1_700_000_000)


def test_ranks_sort_as_versions_do_and_then_by_date(tmp_path: Path) -> None:
    releases = list(itertools.product(VERSIONS, EPOCHS))
    for one, other in itertools.product(releases, repeat=2):
        by_rank = release_rank.rank(*one) < release_rank.rank(*other)
        assert by_rank == ((Version(one[0]), one[1]) < (Version(other[0]), other[1])), (one, other)
    ranks = sorted({release_rank.rank(*release) for release in releases})
    mixed = random.sample(ranks, len(ranks))
    c_order = {**os.environ, "LC_ALL": "C"}
    said = run(["sort"], cwd=tmp_path, env=c_order, stdin="\n".join(mixed) + "\n").stdout
    assert said.splitlines() == ranks


def test_a_rank_is_a_plain_word() -> None:
    assert release_rank.rank("1.10.3rc1", 1_767_225_600) == "a0.a1b10a3.rca1..z..j1767225600"


@pytest.mark.parametrize("version", ["banana", "", "1.0-x"])
def test_a_version_of_another_form_is_one_line(version: str, tmp_path: Path) -> None:
    script = [sys.executable, "-I", release_rank.__file__]
    said = run([*script, version, "0"], cwd=tmp_path, code=1).stderr
    assert said == f"pyproject.toml: Invalid version: {version!r}\n"
