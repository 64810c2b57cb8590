import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from sessionstore.model import SessionSnapshot

DOCUMENTS = Path(__file__).parent / "documents"


@pytest.fixture
def document() -> Callable[[str], str]:
    """Gives the text of a document as the reference writes it."""
    return lambda name: (DOCUMENTS / f"{name}.json").read_text()


@pytest.fixture
def snapshot_text(document) -> str:
    """Gives a whole snapshot that is made of all other documents."""
    artifacts = json.loads(document("artifacts"))
    whole = {
        "schema_version": 1,
        "session": json.loads(document("session")),
        "artifacts": artifacts["artifacts"],
        "retained_artifact_uris": artifacts["retained_uris"],
        "trace_events": json.loads(document("traces")),
        "run_records": json.loads(document("runs")),
        "verification_reports": json.loads(document("verification")),
        "subagent_tasks": json.loads(document("subagent_tasks")),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


@pytest.fixture
def snapshot(snapshot_text) -> SessionSnapshot:
    return SessionSnapshot.model_validate_json(snapshot_text)


@pytest.fixture
def faults() -> Callable[..., dict[str, str]]:
    """Calls a function that must be refused, and gives the type of each fault by the path of its field."""

    def collect(function, *arguments):
        with pytest.raises(ValidationError) as caught:
            function(*arguments)
        errors = caught.value.errors(include_input=False)
        return {".".join(str(part) for part in error["loc"]): error["type"] for error in errors}

    return collect
