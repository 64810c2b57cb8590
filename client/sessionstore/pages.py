"""Pages of a list: sizes within bounds, and tokens that mean nothing to callers."""

import base64

from sessionstore.errors import InvalidArgumentError

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


def page_limit(page_size: int) -> int:
    """Return how many entries a page of the wanted size holds; 0 stands for the default.

    Errors: InvalidArgumentError for a negative size.
    """
    if page_size < 0:
        raise InvalidArgumentError(field="page_size", problem="must not be negative; 0 stands for the default")
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def page_token_after(collection: str, last_id: str) -> str:
    """Return the token of the page that follows the one that ends with `last_id`."""
    return base64.urlsafe_b64encode(f"{collection}/{last_id}".encode()).decode()


def page_position(collection: str, page_token: str) -> str | None:
    """Return the id after which a page starts, None for the first page.

    Errors: InvalidArgumentError when the token did not come from a page of this collection.
    """
    if not page_token:
        return None
    try:
        text = base64.b64decode(page_token, altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    if not text.startswith(collection + "/"):
        raise InvalidArgumentError(field="page_token", problem="must be the next_page_token of the page before")
    return text.removeprefix(collection + "/")
