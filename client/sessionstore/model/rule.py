"""How a broken rule is reported."""

from sessionstore.errors import InvalidArgumentError


def require(kept: bool, field: str, problem: str) -> None:
    """Raise InvalidArgumentError with the path `field` and the `problem`, unless the rule is kept."""
    if not kept:
        raise InvalidArgumentError(field, problem)
