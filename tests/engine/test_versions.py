"""The engine orders versions as `packaging` does, which machines do not have."""

import pytest
from host import versions
from hypothesis import given
from hypothesis import strategies as some
from packaging.version import Version

NUMBER = some.integers(0, 12).map(str)
SIGN = some.sampled_from(["", ".", "-", "_"])


@some.composite
def spelled(draw: some.DrawFn) -> str:
    """Return a version in one of the spellings that PEP 440 allows."""

    def part(*names: str) -> str:
        if not draw(some.booleans()):
            return ""
        name = draw(some.sampled_from(names))
        name = draw(some.sampled_from([name, name.upper()]))
        return draw(SIGN) + name + draw(some.one_of(some.just(""), SIGN.flatmap(_numbered)))

    numbers = draw(some.lists(NUMBER, min_size=1, max_size=4))
    local = draw(some.lists(some.sampled_from(["0", "1", "10", "ab", "Cu9"]), max_size=3))
    return "".join([
        draw(some.sampled_from(["", "v", "0!", "1!"])),
        ".".join(numbers),
        part("a", "b", "c", "rc", "alpha", "beta", "pre", "preview"),
        draw(some.sampled_from(["", "-1", "-0"])) or part("post", "rev", "r"),
        part("dev"),
        f"+{draw(some.sampled_from('.-_')).join(local)}" if local else "",
    ])  # fmt: skip


def _numbered(sign: str) -> some.SearchStrategy[str]:
    return NUMBER.map(lambda number: sign + number)


@given(spelled(), spelled())
def test_any_two_versions_compare_as_with_packaging(one: str, other: str) -> None:
    mine, others = versions.key(one), versions.key(other)
    assert (mine < others) == (Version(one) < Version(other))
    assert (mine == others) == (Version(one) == Version(other))


@given(some.text("0123456789.!+-_abrcdevpost \n٣²", max_size=12))
def test_what_packaging_refuses_is_refused(text: str) -> None:
    try:
        Version(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 (that is all it promises)
            versions.key(text)
    else:
        versions.key(text)


def test_the_order_of_pep_440() -> None:
    order = """1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2
        1.0b2.post345.dev456 1.0b2.post345 1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5
        1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1 1!0.1""".split()
    assert sorted(set(order), key=versions.key) == order


@pytest.mark.parametrize("version", ["", "x", "2004d", "1.0 beta gamma", "1" * 300, "1.0+", "1..0"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(ValueError, match=r"^" if not version else None):
        versions.key(version)


def test_what_a_packager_added_is_left_out() -> None:
    assert versions.public("2.1+cpu") == versions.public("2.1") == "2.1"
