"""How the contract compares what was loaded with what was saved: by value, and by JSON text.

The text tells apart what Python takes for equal: 1 from 1.0 and true, 0.0 from -0.0, and the order of keys.
"""

import json
from collections.abc import Sequence

from sessionstore.model import ArtifactStore, Model, dump_json_list

Comparable = Model | ArtifactStore | Sequence[Model] | None


def assert_same(loaded: Comparable, saved: Comparable) -> None:
    """Fail unless both are equal and have the same JSON."""
    assert loaded == saved
    assert json_text(loaded) == json_text(saved)


def json_text(value: Comparable) -> str:
    """Return the JSON text by which `assert_same` compares."""
    if value is None:
        return json.dumps(None)
    if isinstance(value, ArtifactStore):
        return value.to_manifest().model_dump_json()
    return value.model_dump_json() if isinstance(value, Model) else dump_json_list(value)
