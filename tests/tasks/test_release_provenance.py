"""tasks.release.provenance: where the source is fetched from, as a URI without credentials."""

import pytest
from tasks.lib import project
from tasks.release import provenance

from tests.support import commit, run


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("https://git.example.com/x.git", "git+https://git.example.com/x.git"),
        ("https://token@git.example.com/x", "git+https://git.example.com/x"),
        ("ssh://git@git.example.com:22/x", "git+ssh://git.example.com:22/x"),
        ("git@git.example.com:group/x.git", "git+ssh://git@git.example.com/group/x.git"),
        ("git.example.com:/srv/x", "git+ssh://git.example.com/srv/x"),
        ("/home/someone/x", ""),
        ("file:///home/someone/x", ""),
        ("", ""),
    ],
)
def test_the_source(small: project.Project, address: str, uri: str) -> None:
    commit(small.root)
    if address:
        run(["git", "remote", "add", "origin", address], cwd=small.root)
    assert provenance.source(small) == uri
