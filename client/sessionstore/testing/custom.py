"""A store with the five required operations and nothing else: the least that a store of your own needs."""

import builtins

from typing_extensions import override

from sessionstore.errors import InvalidArgumentError, StoreClosedError
from sessionstore.model import SessionData
from sessionstore.store import SessionStore
from sessionstore.wire.codec import validate

MAX_ID_BYTES = 512


class CustomStore(SessionStore):
    """Keeps the JSON of each session in a dictionary."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._is_open = True

    @property
    @override
    def backend_name(self) -> str:
        return "custom"

    @override
    async def save(
        self, session: SessionData, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> int:
        self._refuse_conditions(expected_revision=expected_revision, lease_epoch=lease_epoch)
        self._check("session.id", session.id)
        checked = validate(SessionData, session.model_dump(by_alias=True, warnings=False))
        self._texts[session.id] = checked.model_dump_json()
        return 0

    @override
    async def load(self, session_id: str, *, revision: int | None = None) -> SessionData | None:
        self._refuse_conditions(revision=revision)
        self._check("session_id", session_id)
        text = self._texts.get(session_id)
        return None if text is None else SessionData.model_validate_json(text)

    @override
    async def delete(
        self, session_id: str, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> None:
        self._refuse_conditions(expected_revision=expected_revision, lease_epoch=lease_epoch)
        self._check("session_id", session_id)
        self._texts.pop(session_id, None)

    @override
    async def list(self) -> builtins.list[str]:
        self._check_open()
        return sorted(self._texts, key=str.encode)

    @override
    async def exists(self, session_id: str) -> bool:
        self._check("session_id", session_id)
        return session_id in self._texts

    @override
    async def aclose(self) -> None:
        self._is_open = False

    def _check(self, field: str, session_id: str) -> None:
        self._check_open()
        try:
            size = len(session_id.encode())
        except UnicodeEncodeError:
            raise InvalidArgumentError(field, "is not Unicode: send text without lone surrogates") from None
        if not 0 < size <= MAX_ID_BYTES or "\0" in session_id:
            raise InvalidArgumentError(field, f"must be 1 to {MAX_ID_BYTES} bytes of UTF-8 without NUL")

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosedError(self.backend_name)
