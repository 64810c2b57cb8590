"""The content of artifacts by itself: of any size, under its digest, never whole in memory."""

import builtins
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import BinaryIO

from sessionstore.model import ArtifactReference
from sessionstore.store.base import StoreBase
from sessionstore.store.values import BlobInfo


class ContentOperations(StoreBase):
    """Content is stored first, and then referred to by a commit; what nothing refers to goes after a day."""

    async def list_artifacts(self, session_id: str) -> builtins.list[ArtifactReference] | None:
        """Return the session's artifacts without their content, the oldest first, or None when none were saved."""
        self._refuse("list_artifacts")

    async def list_retained_uris(self, session_id: str) -> builtins.list[str] | None:
        """Return which uris the session's artifacts retain, sorted, or None when no artifacts were saved."""
        self._refuse("list_retained_uris")

    async def find_missing_blobs(self, digests: Collection[str]) -> set[str]:
        """Return which contents are not stored, of those with these digests (SHA-256 in lower-case hex)."""
        self._refuse("find_missing_blobs")

    async def write_blob(self, source: Path | BinaryIO) -> BlobInfo:
        """Store the content of a file, or of a seekable binary file object from its beginning; it is read twice.

        What is stored already is not sent. When the connection is lost it goes on by itself from where it was.
        """
        self._refuse("write_blob")

    def read_blob(self, sha256: str, offset: int = 0, limit: int | None = None) -> AsyncIterator[bytes]:
        """Yield content in pieces, up to `limit` bytes from `offset` on. Read whole, it is verified.

        Errors: InvalidArgumentError when it is not stored; DataCorruptionError.
        """
        return self._refusal("read_blob")
