"""Says of the packages in an environment which licence each has, and which needs which."""

from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions

from ..lib import lock, markers
from ..lib.console import TaskError
from ..lib.environment import Environment
from ..lib.interpreter import minor
from ..lib.project import Project, normalised
from ..lib.pythons import needs

UNKNOWN = "unknown"
_CLASSIFIER = "License :: "
_LONGEST = 60  # some packages give the whole text in the place of a name
Graph = Mapping[str, list[str]]


def licences(environment: Environment) -> dict[str, tuple[str, str]]:
    """Return the version and the licence of every package that is installed, by its name."""
    found = _found(environment)
    return {name: (found[name].version, _licence(found[name])) for name in sorted(found)}


def graph(project: Project, environment: Environment, category: str) -> dict[str, list[str]]:
    """Return which packages each package needs, in an environment of one category."""
    known = markers.values(minor(environment.interpreter.version))
    entries = lock.packages(project.lock, category).items()
    extras = {normalised(name): entry.get("extras", ()) for name, entry in entries}
    found = _found(environment)
    return {
        name: sorted(found.keys() & needs(found[name], extras.get(name, ()), known))
        for name in sorted(found)
    }


def roots(project: Project, category: str, needed: Graph) -> list[str]:
    """Return what a category of the Pipfile asks for, of the packages that are installed."""
    pipfile = lock.read_pipfile(project.lock.with_name("Pipfile"))
    return sorted({normalised(name) for name in pipfile.get(category, {})} & needed.keys())


def tree(needed: Graph, roots: list[str], versions: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a tree that begins at `roots`; nothing is unfolded twice."""
    shown: set[str] = set()
    ahead = [(root, 0) for root in reversed(roots)]
    while ahead:
        name, depth = ahead.pop()
        again = name in shown and bool(needed.get(name))
        yield f"{'  ' * depth}{name} {versions.get(name, '')}{' (above)' if again else ''}".rstrip()
        if name not in shown:
            shown.add(name)
            ahead += [(other, depth + 1) for other in reversed(needed.get(name, []))]


def reversed_graph(needed: Graph, name: str) -> dict[str, list[str]]:
    """Return which packages need each package; raise `TaskError` if `name` is none of them."""
    if name not in needed:
        raise TaskError(f"--to is '{name}': expected one of {', '.join(sorted(needed))}")
    return {one: sorted(other for other in needed if one in needed[other]) for one in needed}


def _found(environment: Environment) -> dict[str, Distribution]:
    return {normalised(each.name): each for each in distributions(path=[str(environment.site)])}


def _licence(found: Distribution) -> str:
    """Return the licence: an SPDX expression if the package has one, else what else it says."""
    if expression := _field(found, "License-Expression"):
        return expression[0]
    classifiers = _field(found, "Classifier")
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith(_CLASSIFIER)]
    if named:
        return " and ".join(sorted(named))
    lines = "\n".join(_field(found, "License")).strip().splitlines()
    return lines[0][:_LONGEST] if lines else UNKNOWN


def _field(found: Distribution, name: str) -> list[str]:
    return [str(value) for value in found.metadata.get_all(name) or ()]
