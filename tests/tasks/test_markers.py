"""tasks.lib.markers: judges a marker as the library `packaging` does, which tasks cannot import."""

import pytest
from packaging.markers import Marker
from tasks.lib import markers

PYTHONS = ["3.9", "3.11", "3.13", "3.14"]
MARKERS = [
    'python_version < "3.13"',
    "python_version >= '3.9'",
    '"3.12" <= python_version',
    'python_version != "3.11"',
    'python_version == "3.1"',
    'python_version ~= "3.11"',
    'python_version in "3.11 3.12"',
    'python_version not in "3.11 3.12"',
    'python_full_version < "3.11.3"',
    "python_full_version >= '3.11.0a6'",
    'sys_platform == "win32" and python_version >= "3.8"',
    'sys_platform != "win32" or python_version < "3.12"',
    '(python_version < "3.12" or extra == "tests") and os_name == "posix"',
    'python_version < "3.12" or extra == "tests" and os_name == "nt"',
    'extra == "tests"',
    "platform_python_implementation != 'PyPy' and implementation_name == 'cpython'",
    '((platform_machine == "no-such-machine"))',
    '"linux" in sys_platform',
]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_is_judged_as_by_packaging(marker: str, python: str) -> None:
    known = markers.values(python)
    assert markers.holds(marker, known) == Marker(marker).evaluate(known)
    chosen = {**known, "extra": "tests"}
    assert markers.holds(marker, chosen) == Marker(marker).evaluate(chosen)


@pytest.mark.parametrize("marker", ["", "python_version", "python_version <", "(os_name == 'nt'"])
def test_what_is_no_marker_does_not_hold(marker: str) -> None:
    assert not markers.holds(marker, markers.values("3.13"))
