"""tasks.deploy.build.render: tokens and their values."""

import pytest
from tasks.deploy.build.render import render


def test_each_token_is_replaced_once() -> None:
    values = {"name": "@other@", "other": "x"}
    assert render("@name@ @other@ a@b @NAME@", values) == "@other@ x a@b @NAME@"


def test_a_token_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^@nmae@ has no value$"):
        render("@nmae@", {"name": "x"})
