"""Pages of a list: sizes within bounds, and tokens that mean nothing to callers."""

import base64
import hashlib
import json
from typing import NamedTuple

from sessionstore.errors import InvalidArgumentError

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class PagePosition(NamedTuple):
    """Where a page ends."""

    id: str
    value: str | int | None = None
    """Of that by which the list is ordered, if not by id."""


def page_limit(page_size: int) -> int:
    """Return how many entries a page of the wanted size holds; 0 stands for the default.

    Errors: InvalidArgumentError for a negative size.
    """
    if page_size < 0:
        raise InvalidArgumentError(field="page_size", problem="must not be negative; 0 stands for the default")
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def page_token_after(scope: str, position: PagePosition) -> str:
    """Return the token of the page that follows the one that ends with `position`.

    `scope` is whatever the pages of one list have in common: what is listed, how it is selected and ordered.
    """
    return base64.urlsafe_b64encode(json.dumps([_mark(scope), position.value, position.id]).encode()).decode()


def page_position(scope: str, page_token: str) -> PagePosition | None:
    """Return after what a page starts, None for the first page.

    Errors: InvalidArgumentError when the token did not come from a page of the same scope.
    """
    if not page_token:
        return None
    try:
        found = json.loads(base64.b64decode(page_token, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    match found:
        case [str(mark), str() | int() | None as value, str(id_)] if mark == _mark(scope):
            return PagePosition(id_, value)
    raise InvalidArgumentError(
        field="page_token", problem="must be the next_page_token of the page before, asked for in the same way"
    )


def _mark(scope: str) -> str:
    return hashlib.sha256(scope.encode(errors="surrogatepass")).hexdigest()[:16]
