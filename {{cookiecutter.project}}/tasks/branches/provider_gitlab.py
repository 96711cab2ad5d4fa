"""GitLab's spelling of what the table says of pipelines.

What a rule may hold: https://docs.gitlab.com/ci/yaml/#rules
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from .table import Kind, Table

_NOT_WEEKLY = ('- if: $CI_PIPELINE_SOURCE == "schedule"', "  when: never")


def any_of(kinds: Iterable[Kind]) -> str:
    """Return the regular expression of the names of some kinds, for use between slashes."""
    return "|".join(re.escape(kind.name).replace("/", r"\/").replace(r"\*", ".+") for kind in kinds)


def _session(session: str, table: Table) -> Iterator[str]:
    kinds = [kind for kind in table.values() if session in kind.checks]
    yield from _NOT_WEEKLY
    yield "- if: $CI_COMMIT_TAG"
    if kinds:
        yield f"- if: $CI_COMMIT_REF_NAME =~ /^({any_of(kinds)})$/"


def _matrix(name: str, values: Sequence[str]) -> Iterator[str]:
    listed = ", ".join(f'"{value}"' for value in values)
    yield f"- {name}: [{listed}]"


def _artefacts(table: Table) -> Iterator[str]:
    kinds = [kind for kind in table.values() if kind.artefacts]
    yield from _NOT_WEEKLY
    yield "- if: $CI_COMMIT_TAG"
    if kinds:
        yield f"- if: $CI_COMMIT_BRANCH =~ /^({any_of(kinds)})$/"


def _deploy(table: Table) -> Iterator[str]:
    kinds = [kind for kind in table.values() if kind.deploys]
    for number, target in enumerate(dict.fromkeys(kind.deploys for kind in kinds)):
        yield from [""] * bool(number)
        yield f"deploy-{target}:"
        yield "  extends: .deploy"
        yield f"  environment: {target}"
        yield "  rules:"
        yield from (f"    {line}" for line in _NOT_WEEKLY)
        for kind in kinds:
            if kind.deploys == target:
                yield f"    - if: $CI_COMMIT_BRANCH =~ /^({any_of([kind])})$/"
                if kind.approval:
                    yield "      when: manual"
                    yield "      allow_failure: true"


BLOCKS: Mapping[str, Callable[..., Iterable[str]]] = {
    **{name: partial(_session, name) for name in ("lint", "test", "security")},
    "pythons": partial(_matrix, "PYTHON"),
    "artefacts": _artefacts,
    "quadrants": partial(_matrix, "QUADRANT"),
    "deploy": _deploy,
}
