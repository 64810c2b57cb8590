"""The scalar types of model fields: strict about type and range, as the JSON they are written to."""

import re
import struct
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

# A length constraint makes pydantic check that the text is Unicode also in Python, where it may hold surrogates.
Str = Annotated[str, Field(strict=True, min_length=0)]
Bool = Annotated[bool, Field(strict=True)]
U8 = Annotated[int, Field(strict=True, ge=0, le=2**8 - 1)]
U32 = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
U64 = Annotated[int, Field(strict=True, ge=0, le=2**64 - 1)]
U128 = Annotated[int, Field(strict=True, ge=0, le=2**128 - 1)]
I32 = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
I64 = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
F64 = Annotated[float, Field(strict=True, allow_inf_nan=False)]

U64_MAX = 2**64 - 1

_SINGLE = struct.Struct("<f")


def round_to_f32(number: float) -> float:
    """Round to single precision, and return the double whose shortest text is that of the single.

    So 0.8 stays 0.8 instead of 0.800000011920929. Errors: PydanticCustomError beyond the range of a single.
    """
    try:
        packed = _SINGLE.pack(number)
    except OverflowError:
        raise PydanticCustomError("f32_range", "Input should be within the range of a 32-bit float") from None
    (single,) = _SINGLE.unpack(packed)
    for digits in range(1, 9):
        candidate = float(f"{single:.{digits}g}")
        if _packs_to(candidate, packed):
            return candidate
    # Nine digits always tell two singles apart.
    return float(f"{single:.9g}")


def _packs_to(number: float, packed: bytes) -> bool:
    try:
        return _SINGLE.pack(number) == packed
    except OverflowError:
        return False


F32 = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(round_to_f32)]

_RFC_3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def normalise_timestamp(value: object) -> str:
    """Return an RFC 3339 date-time, or an aware `datetime`, as UTC text with 0, 3, 6 or 9 fractional digits.

    Digits beyond nanoseconds are cut off. Errors: PydanticCustomError.
    """
    if isinstance(value, datetime):
        return _from_datetime(value)
    match = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise _bad_timestamp()
    date, time, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{zone.upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad_timestamp() from None
    return _format(moment, fraction or "")


def _from_datetime(value: datetime) -> str:
    if value.tzinfo is None:
        raise PydanticCustomError("timestamp", "The datetime needs a time zone, for example datetime.now(UTC)")
    return _format(value.astimezone(UTC), f"{value.microsecond:06}")


def _format(moment: datetime, fraction: str) -> str:
    digits = fraction[:9].ljust(9, "0")
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{digits}" if digits else "") + "Z"


def _bad_timestamp() -> PydanticCustomError:
    return PydanticCustomError("timestamp", "Input should be an RFC 3339 date-time, such as 2026-01-31T08:15:00Z")


Timestamp = Annotated[str, BeforeValidator(normalise_timestamp)]
"""A moment as RFC 3339 text in UTC, to the nanosecond."""
