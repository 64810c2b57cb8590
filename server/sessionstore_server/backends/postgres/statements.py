"""The SQL of this backend: a file for each statement, and for each migration."""

from functools import cache
from importlib.resources import files

_FOLDER = files(__package__)


@cache
def statement(name: str) -> str:
    """Return the statement that stands in `sql/<name>.sql`."""
    return (_FOLDER / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def migrations() -> dict[int, str]:
    """Return the migrations by their numbers, in their order; the last number is the version of the schema."""
    found = {
        int(file.name.split("_")[0]): file.read_text(encoding="utf-8") for file in (_FOLDER / "migrations").iterdir()
    }
    return dict(sorted(found.items()))
