"""Checks of a JSON text as a whole: how deep it nests, and keys that stand twice in one object.

Everything else that JSON forbids (a byte-order mark, trailing text, raw control characters, unpaired surrogates)
the parser refuses by itself.
"""

import json
import re
from collections.abc import Iterator
from itertools import accumulate

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from sessionstore.model.open_value import MAX_DEPTH

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEPS = bytes.maketrans(b"[{]}", bytes([1, 1, 255, 255]))
"""Turns brackets into the signed bytes +1 and -1, so that their running sum is the depth."""

Location = tuple[str | int, ...]


def check_document(text: str | bytes | bytearray, subject: str, *, unique_keys: bool) -> None:
    """Refuse a JSON text that nests too deep or, with `unique_keys`, has a key twice in one object.

    Errors: ValidationError with the title `subject`; for a key that stands twice its location is the key's path.
    """
    data = _encode(text, subject)
    if _depth(data) > MAX_DEPTH:
        raise document_error(subject, "nesting_too_deep", f"JSON is nested deeper than {MAX_DEPTH} levels")
    if unique_keys and (path := _find_repeated_key(data)):
        raise document_error(subject, "repeated_key", "The key stands twice in the object: remove one", path)


def document_error(subject: str, kind: str, problem: str, *locations: Location) -> ValidationError:
    """Build the error for a fault of `subject`, at each location, in the form in which pydantic reports bad values."""
    fault = PydanticCustomError(kind, "{problem}", {"problem": problem})
    faults = [InitErrorDetails(type=fault, loc=location, input=None) for location in locations or [()]]
    return ValidationError.from_exception_data(subject, faults, input_type="json", hide_input=True)


def _encode(text: str | bytes | bytearray, subject: str) -> bytes:
    try:
        return text.encode() if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        problem = f"Invalid JSON: unpaired surrogate at character {error.start}"
        raise document_error(subject, "json_invalid", problem) from None


def _depth(data: bytes) -> int:
    brackets = _STRING.sub(b"", data).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)


def _find_repeated_key(data: bytes) -> Location | None:
    """Return the path of a key that stands twice, or None; text that is not JSON is left to the real parser."""
    repeated: list[tuple[dict[str, object], str]] = []

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) < len(pairs):
            repeated.append((built, _first_repeated([key for key, _ in pairs])))
        return built

    try:
        tree = json.loads(data, object_pairs_hook=build)
    except ValueError:
        return None
    if not repeated:
        return None
    # An object is built after those inside it, so the last one was not itself dropped as a value of a repeated key.
    owner, key = repeated[-1]
    return (*next(_paths_to(owner, tree)), key)


def _first_repeated(keys: list[str]) -> str:
    return next(key for position, key in enumerate(keys) if key in keys[:position])


def _paths_to(target: object, tree: object, path: Location = ()) -> Iterator[Location]:
    if tree is target:
        yield path
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from _paths_to(target, child, (*path, key))
