"""tasks.branches: starting, checking, finishing and listing branches in a real repository."""

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from tasks import branch
from tasks.branches import beginning, words, work
from tasks.branches.local import Local
from tasks.branches.remote import parsed
from tasks.lib import git, project
from tasks.lib.console import TaskError

from tests.branches import ENVIRONMENT, KINDS, Clone, build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return build(tmp_path_factory.mktemp("work"))


@pytest.fixture
def clone(built: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Return a clone that has main and develop checked out once, whose tasks act on it."""
    built.reset()
    for name in ("main", "develop"):
        built.git("update-ref", f"refs/heads/{name}", built.start[name])
    built.git("symbolic-ref", "HEAD", "refs/heads/develop")
    built.git("reset", "--quiet", "--hard")
    here = Local(built.folder, KINDS)
    monkeypatch.setattr(branch, "_here", lambda: here)
    monkeypatch.setattr(words, "said", lambda *_: [])  # commit-check runs in tests/test_branches
    return built


@pytest.fixture
def here(clone: Clone) -> Local:
    return Local(clone.folder, KINDS)


def commit(clone: Clone, file: str, subject: str = "feat: more") -> None:
    path = clone.folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(subject)
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "-m", subject)


@pytest.mark.parametrize(
    ("made", "above"),
    [
        ("feature/login", "develop"),
        ("dependency/2026-11-26", "develop"),
        ("release/1.2.0", "main"),
        ("docs/install", "main"),
    ],
)
def test_a_branch_starts_where_its_kind_does(
    clone: Clone, here: Local, made: str, above: str
) -> None:
    assert work.start(here, *made.split("/")) == (made, above)
    assert here.branch == made
    assert here.tip(made) == clone.start[above]
    assert here.pushed(made) == here.brought(made) == []


def test_a_branch_starts_from_what_the_remote_has_newer(clone: Clone, here: Local) -> None:
    clone.git("update-ref", "refs/heads/develop", f"{clone.start['develop']}^")
    clone.git("reset", "--quiet", "--hard")
    work.start(here, "feature", "login")
    assert here.tip("feature/login") == clone.start["develop"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("main", "x"), "the kind is 'main': expected dependency, feature, release, docs"),
        (("bugfix", "x"), "the kind is 'bugfix': expected dependency, feature, release, docs"),
        (("feature", "a b"), "the name is 'a b': expected letters and digits, with single . _"),
        (("feature", "-x"), "the name is '-x': expected letters and digits, with single . _ or"),
        (("feature", "a"), "there is a branch feature/a already: `git switch feature/a`"),
    ],
)
def test_a_start_is_refused(here: Local, given: tuple[str, str], said: str) -> None:
    with pytest.raises(TaskError) as refused:
        work.start(here, *given)
    assert str(refused.value).startswith(said)
    assert here.branch == "develop"


def test_branches_that_have_parted_are_named(clone: Clone, here: Local) -> None:
    commit(clone, "src/c.py")
    clone.git("update-ref", "refs/remotes/origin/develop", clone.start["feature/a"])
    with pytest.raises(TaskError, match=r"^develop and the remote's have parted: make them one"):
        work.start(here, "feature", "login")


def test_a_request(clone: Clone, here: Local) -> None:
    work.start(here, "feature", "login")
    commit(clone, "src/login.py", "feat: let users log in")
    made = work.request(here, "feature/login")
    assert (made.target, made.title) == ("develop", "feat: let users log in")
    commit(clone, "src/login.py", "fix: let them stay")
    made = work.request(here, "feature/login")
    assert made.title == "Merge feature/login into develop"
    assert made.body.startswith("- feat: let users log in\n- fix: let them stay\n\nPurpose: new wo")
    assert made.body.endswith("- [ ] `nox -s lint`\n- [ ] `nox -s test`\n- [ ] `nox -s security`")


def test_documentation_goes_with_the_newest_release_if_there_is_one(
    clone: Clone, here: Local
) -> None:
    clone.git("update-ref", "refs/remotes/origin/release/1.10.0", clone.start["release/a"])
    clone.git("update-ref", "refs/remotes/origin/release/1.9.0", clone.start["release/b"])
    assert work.request(here, "docs/a").target == "release/1.10.0"
    for name in ("a", "b", "1.9.0", "1.10.0"):
        clone.git("update-ref", "-d", f"refs/remotes/origin/release/{name}")
    assert work.request(here, "docs/a").target == "develop"


def test_a_request_without_commits_is_refused(here: Local) -> None:
    work.start(here, "feature", "login")
    with pytest.raises(TaskError, match=r"^feature/login has nothing that develop lacks$"):
        work.request(here, "feature/login")


REQUEST = work.Request("feature/x", "develop", "", "")


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("git@github.com:o/n.git", "https://github.com/o/n/compare/develop...feature/x"),
        (
            "https://gitlab.example.com/g/s/n.git",
            "https://gitlab.example.com/g/s/n/-/merge_requests/new?"
            "merge_request[source_branch]=feature/x&merge_request[target_branch]=develop",
        ),
        (
            f"https://user:{'x' * 9}@github.com/o/n",
            "https://github.com/o/n/compare/develop...feature/x",
        ),
        ("/srv/git/n.git", ""),
        ("", ""),
    ],
)
def test_the_page_for_a_request(remote: str, page: str) -> None:
    assert work.page(*parsed(remote), REQUEST) == page


def test_the_list(clone: Clone, here: Local) -> None:
    clone.git("update-ref", "refs/heads/bugfix/x", clone.start["main"])
    clone.git("update-ref", "refs/heads/docs/c", clone.start["feature/a"])
    found = dict(work.listing(here))
    assert found["bugfix/x"] == "no kind of the table has this name"
    assert found["main"] == "main"
    assert found["develop"] == "develop; 4 ahead of main, 4 behind"
    assert found["feature/a"].startswith(
        "feature; on the remote only; 1 ahead of develop, 2 behind"
    )
    assert "may not merge into docs/c" in found["docs/c"]


@pytest.mark.parametrize(
    ("source", "target", "files", "said"),
    [
        ("feature/new", "develop", ["src/a.py"], None),
        ("dependency/new", "develop", ["Pipfile.lock", "README.md"], None),
        (
            "dependency/new",
            "develop",
            ["Pipfile.lock", "src/a.py"],
            "dependency/new may not change src/a.py: dependency/* may change Pipfile, ",
        ),
        ("feature/new", "main", [], "feature/new may not merge into main: it merges into develop"),
        ("bugfix/x", "develop", [], "the branch is 'bugfix/x': expected main, develop, depende"),
        ("feature/new", "trunk", [], "the branch is 'trunk': expected main, develop, dependenc"),
        ("dependency/new", "develop", None, "dependency/new is not here: fetch it, or name the "),
        ("docs/a", "release/c", None, "release/c is not here: fetch it, or name the files with "),
        ("dependency/a", "develop", None, None),
        ("feature/new", "", None, "--source and --target belong together"),
    ],
)
def test_what_pipelines_ask(
    clone: Clone, source: str, target: str, files: list[str] | None, said: str | None
) -> None:
    if said is None:
        branch.check(Context(), source, target, files)
        return
    with pytest.raises(Exit) as refused:
        branch.check(Context(), source, target, files)
    assert refused.value.code == 1
    assert str(refused.value.message).startswith(f"error: {said}")


def test_a_history_that_is_cut_off_is_no_answer(clone: Clone, here: Local) -> None:
    shallow = clone.folder / ".git/shallow"
    shallow.write_text(clone.start["main"] + "\n")
    with pytest.raises(TaskError, match=r"^the history is cut off: fetch all of it "):
        here.request("feature/a", "develop")
    shallow.unlink()


def test_work_that_is_not_committed_stays(clone: Clone, here: Local) -> None:
    clone.git("update-ref", "refs/remotes/origin/develop", clone.start["feature/a"])
    clone.git("update-ref", "refs/heads/develop", clone.start["feature/a"])
    clone.git("reset", "--quiet", "--hard")
    (clone.folder / "src/a.py").write_text("not committed")
    with pytest.raises(TaskError, match=r"^cannot switch to docs/new: Your local changes to the "):
        work.start(here, "docs", "new")
    assert (clone.folder / "src/a.py").read_text() == "not committed"
    assert here.tip("docs/new") == ""


def test_outside_of_a_repository(small: project.Project) -> None:
    with pytest.raises(TaskError, match=r"^no branch is checked out; `invoke branch.init` "):
        Local(small.root, KINDS).kind(Local(small.root, KINDS).branch)


def test_files_come_from_git_where_nobody_names_them(clone: Clone, here: Local) -> None:
    work.start(here, "docs", "c")
    commit(clone, "src/c.py")
    assert here.request("docs/c", "develop") == [
        "docs/c may not change src/c.py: docs/* may change docs/, *.md"
    ]


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("main", "a", "main takes requests only: `invoke branch.start release NAME` or "),
        ("develop", "a", "develop takes requests only: `invoke branch.start dependency NAME` or "),
        ("docs/c", "src/a.py", "docs/c may not change src/a.py: docs/* may change docs/, *.md"),
        ("docs/c", "docs/a.md", None),
        ("feature/c", "src/a.py", None),
    ],
)
def test_a_commit(clone: Clone, here: Local, name: str, file: str, said: str | None) -> None:
    if "/" in name:
        work.start(here, *name.split("/"))
    else:
        clone.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
        clone.git("reset", "--quiet", "--hard")
    (clone.folder / file).parent.mkdir(exist_ok=True)
    (clone.folder / file).write_text("a")
    clone.git("add", "--all")
    found = here.committed()
    assert len(found) == (said is not None)
    assert said is None or found[0].startswith(said)


def test_a_commit_amid_a_rebase_is_not_judged(clone: Clone, here: Local) -> None:
    clone.git("checkout", "--quiet", "--detach")
    assert here.committed() == []


def test_the_push_that_a_hook_sees(clone: Clone, here: Local) -> None:
    given = {
        "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/main",
        "PRE_COMMIT_TO_REF": clone.start["feature/a"],
    }
    assert here.about_to_push(given)[0].startswith("main cannot be rewritten")
    given["PRE_COMMIT_TO_REF"] = clone.commit(clone.start["main"], file="a")
    assert here.about_to_push(given)[0].startswith("main takes requests only: ")
    given["PRE_COMMIT_REMOTE_BRANCH"] = "refs/tags/v1"
    assert here.about_to_push(given) == []
    with pytest.raises(TaskError, match=r"^PRE_COMMIT_REMOTE_BRANCH is not set: "):
        here.about_to_push({})


def test_finish_writes_the_request(
    clone: Clone, here: Local, capsys: pytest.CaptureFixture[str]
) -> None:
    work.start(here, "feature", "login")
    commit(clone, "src/login.py", "feat: let users log in")
    branch.finish(Context())
    assert "feature/login is ready for develop" in capsys.readouterr().out
    text = (clone.folder / "build/request.md").read_text("utf-8")
    assert text.startswith("feat: let users log in\n\n- feat: let users log in\n")
    with pytest.raises(Exit, match="feature/login may not merge into main"):
        branch.finish(Context(), "main")


@pytest.fixture
def bare_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no hooks be installed: tests/test_branches.py has them run."""
    monkeypatch.setattr(beginning, "_hooks", lambda _: None)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("bare_hooks")
def test_a_repository_is_made_once(small: project.Project) -> None:
    made = ["the repository", "the first commit of main", "the branch develop"]
    assert beginning.make(small, KINDS) == made
    assert beginning.make(small, KINDS) == []
    assert Local(small.root, KINDS).branch == "develop"
    assert git.run(small.root, "config", "branch.develop.mergeOptions") == "--no-ff"


@pytest.mark.usefixtures("bare_hooks")
def test_an_interrupted_beginning_is_finished(small: project.Project) -> None:
    git.run(small.root, "init", "--quiet", "--initial-branch=master")
    assert beginning.make(small, KINDS) == ["the first commit of main", "the branch develop"]


@pytest.mark.usefixtures("bare_hooks")
def test_a_clone_gets_the_branches_of_its_remote(clone: Clone, small: project.Project) -> None:
    git.run(small.root, "init", "--quiet", "--initial-branch=main")
    git.run(small.root, "fetch", "--quiet", str(clone.server), "refs/heads/*:refs/remotes/origin/*")
    git.run(small.root, "update-ref", "refs/heads/main", clone.start["main"])
    assert beginning.make(small, KINDS) == ["the branch develop"]
    assert Local(small.root, KINDS).heads["develop"] == clone.start["develop"]


@pytest.mark.usefixtures("bare_hooks")
def test_a_repository_with_another_main_branch_is_told(small: project.Project) -> None:
    git.run(small.root, "init", "--quiet", "--initial-branch=trunk")
    git.run(small.root, "commit", "--quiet", "--allow-empty", "--message=feat: begin")
    with pytest.raises(TaskError, match=r"^the repository has no branch main: `git branch --move "):
        beginning.make(small, KINDS)


def test_a_message_without_git_s_remarks() -> None:
    text = (
        "feat: a\n\nWhy.\n# On branch x\n# ------------------------ >8 ------------------------\nd"
    )
    assert words.written(text) == "feat: a\n\nWhy."


def test_the_configuration_of_messages(small: project.Project) -> None:
    (small.root / "cchk.toml").write_text("[commit]\nsubject_max_length = 9\n[branch]\nx = 1\n")
    made = words.config(small, KINDS)
    assert made["commit"] == {"subject_max_length": 9}
    assert made["branch"]["allow_branch_names"] == ["main", "develop"]
    assert made["branch"]["allow_branch_types"] == ["dependency", "feature", "release", "docs"]
    (small.root / "cchk.toml").write_text("no TOML")
    with pytest.raises(TaskError, match=r"^cannot read cchk\.toml: "):
        words.config(small, KINDS)
