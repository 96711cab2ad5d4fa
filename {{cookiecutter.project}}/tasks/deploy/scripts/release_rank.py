"""Prints the rank of a release: a string that sorts as releases do."""

import sys


def rank(version: str, epoch: int) -> str:
    """Return a string that sorts bytewise by version (PEP 440), then by source date in seconds.

    Raises `ValueError` for a version that is not of PEP 440's form.
    """
    from packaging.version import Version

    this = Version(version)
    numbers = [*this.release]
    while numbers and numbers[-1] == 0:
        numbers.pop()  # 1.0 is 1
    if this.pre:
        pre = this.pre[0] + _number(this.pre[1])  # a, b or rc
    else:
        # 1.dev1 comes before 1a1, 1 and 1.post1 after 1rc1.
        pre = "" if this.dev is not None and this.post is None else "z"
    parts = (part for part in (this.local or "").split(".") if part)
    fields = [
        _number(this.epoch),
        "".join(map(_number, numbers)),
        pre,
        "" if this.post is None else _number(this.post),
        "z" if this.dev is None else _number(this.dev),
        "".join(f"1{_number(int(p))}." if p.isdecimal() else f"0{p}." for p in parts),
        _number(epoch),
    ]
    return ".".join(fields)  # a dot sorts before letters and digits, so a shorter field comes first


def _number(value: int) -> str:
    """Spell a number so that it sorts by size: 7 is `a7`, 10 is `b10`."""
    digits = str(value)
    return chr(ord("a") + len(digits) - 1) + digits


# Run by a Python that has `packaging`, which the one that runs invoke may not have.
if __name__ == "__main__":
    try:
        print(rank(sys.argv[1], int(sys.argv[2])))
    except ValueError as error:
        sys.exit(f"pyproject.toml: {error}")
