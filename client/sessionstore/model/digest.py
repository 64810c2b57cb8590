"""Digests of stored values: SHA-256 as text, over the compact JSON of a value and the name of its domain."""

import re
from hashlib import sha256

from pydantic_core import to_json

from sessionstore.model.base import Model
from sessionstore.model.rule import require

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_EVIDENCE_PREFIX = b"a3s-code-harness-evidence"
_ONTOLOGY_PREFIX = b"agentic-ontology-canonical-v1"


def domain_digest(domain: str, payload: bytes) -> str:
    """Return the digest that identifies `payload` within `domain`."""
    return _digest(domain.encode() + b"\0" + payload)


def evidence_digest(domain: str, payload: bytes) -> str:
    """Return the digest of a piece of evidence, whose `payload` is compact JSON."""
    return _digest(_framed(_EVIDENCE_PREFIX, domain, payload))


def ontology_digest(domain: str, payload: bytes) -> str:
    """Return the digest by which a cognitive package names its capabilities; `payload` is compact JSON."""
    return _digest(_framed(_ONTOLOGY_PREFIX, domain, payload))


def compact_json(value: object) -> bytes:
    """Return the JSON of a model, or of plain values, without spaces and in the order of its keys."""
    return value.model_dump_json().encode() if isinstance(value, Model) else to_json(value)


def is_digest(text: str) -> bool:
    """Tell whether `text` is `sha256:` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def require_digest(text: str, field: str) -> None:
    """Raise InvalidArgumentError, naming `field`, unless `text` has the form of a digest."""
    require(is_digest(text), field, "must be sha256: and 64 lower-case hex digits")


def _framed(prefix: bytes, domain: str, payload: bytes) -> bytes:
    name = domain.encode()
    return b"".join((prefix, b"\0", _length(name), name, _length(payload), payload))


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big")


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
