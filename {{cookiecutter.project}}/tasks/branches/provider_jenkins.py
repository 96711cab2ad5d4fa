"""Jenkins' spelling of what the table says of pipelines.

What a stage may hold: https://www.jenkins.io/doc/book/pipeline/syntax/
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from .provider_github import updated
from .provider_gitlab import any_of
from .table import Kind, Table


def _session(session: str, table: Table) -> Iterator[str]:
    yield "buildingTag()"
    yield from _among(kind for kind in table.values() if session in kind.checks)


def _matrix(values: Sequence[str]) -> Iterator[str]:
    listed = ", ".join(f"'{value}'" for value in values)
    yield f"values {listed}"


def _artefacts(table: Table) -> Iterator[str]:
    yield "buildingTag()"
    yield from _among((kind for kind in table.values() if kind.artefacts), "env.BRANCH_NAME")


def _deploy(table: Table) -> Iterator[str]:
    for kind in table.values():
        if kind.deploys:
            yield f"stage('deploy {kind.key} to {kind.deploys}') {{"
            yield "    when {"
            yield from ["        beforeInput true"] * kind.approval
            yield from (f"        {line}" for line in _among([kind], "env.BRANCH_NAME"))
            yield "        not { triggeredBy 'TimerTrigger' }"
            yield "    }"
            if kind.approval:
                yield f"    input {{ message 'Deploy this commit to {kind.deploys}?' }}"
            yield "    steps {"
            yield "        sh 'invoke ci.deploy --branch \"$BRANCH_NAME\"'"
            yield "    }"
            yield "}"


def _develop(table: Table) -> Iterator[str]:
    yield f"cron(env.BRANCH_NAME == '{updated(table)}' ? 'H 4 * * 1' : '')"


def _among(
    kinds: Iterable[Kind], branch: str = "(env.CHANGE_BRANCH ?: env.BRANCH_NAME)"
) -> Iterator[str]:
    if names := any_of(kinds):
        yield f"expression {{ {branch} ==~ /{names}/ }}"


BLOCKS: Mapping[str, Callable[..., Iterable[str]]] = {
    "develop": _develop,
    **{name: partial(_session, name) for name in ("lint", "test", "security")},
    "pythons": _matrix,
    "artefacts": _artefacts,
    "quadrants": _matrix,
    "deploy": _deploy,
}
