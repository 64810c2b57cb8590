"""Pages: sizes within bounds, tokens that lead to what follows and to nothing else."""

import base64

import pytest

from sessionstore import InvalidArgumentError
from sessionstore.pages import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    PagePosition,
    page_limit,
    page_position,
    page_token_after,
)


@pytest.mark.parametrize(
    ("wanted", "limit"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (1000, 1000), (1001, MAX_PAGE_SIZE), (2**31, MAX_PAGE_SIZE)]
)
def test_a_size_is_kept_within_bounds(wanted: int, limit: int) -> None:
    assert page_limit(wanted) == limit


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^page_size: "):
        page_limit(-1)


@pytest.mark.parametrize("last_id", ["a", "a/b", "sessions/", "🧐", "x" * 512, " ", "..", "\n"])
def test_a_token_leads_behind_the_id_it_was_made_of(last_id: str) -> None:
    for value in (None, "", "Zoë/1", -(2**63)):
        token = page_token_after("sessions", PagePosition(last_id, value))
        assert page_position("sessions", token) == PagePosition(last_id, value)
    assert token.isascii()
    assert token.isprintable()


def test_no_token_is_the_first_page() -> None:
    assert page_position("sessions", "") is None


@pytest.mark.parametrize(
    "token",
    [
        "one",
        "=",
        "é",
        " ",
        page_token_after("sessions", PagePosition("a"))[:-2],
        page_token_after("sessions", PagePosition("a")) + "=",
        page_token_after("sessions by name", PagePosition("a")),
        base64.urlsafe_b64encode(b'["",\xff]').decode(),
        base64.urlsafe_b64encode(b'["sessions",null,"a"]').decode(),
    ],
)
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^page_token: "):
        page_position("sessions", token)
