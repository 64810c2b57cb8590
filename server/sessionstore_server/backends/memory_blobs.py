"""The blobs of the memory backend, with their uploads and the keys that refer to them."""

import hashlib
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from sessionstore.errors import DataCorruptionError, InvalidArgumentError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Key


@dataclass
class _Blob:
    content: bytes
    stored_at: float
    """When it was last put, on the monotonic clock."""
    users: set[Key] = field(default_factory=set)


@dataclass
class _Upload:
    content: bytearray = field(default_factory=bytearray)
    extended_at: float = 0.0


class MemoryBlobs:
    """Contents by digest. Without a user they stay until they are swept, or until their last user gives them up."""

    def __init__(self) -> None:
        self._blobs: dict[str, _Blob] = {}
        self._uploads: dict[str, _Upload] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._blobs.clear()
        self._uploads.clear()

    def put(self, digest: str, content: bytes) -> None:
        """Store a blob, or make it young again. Errors: InvalidArgumentError for content with another digest."""
        if (actual := hashlib.sha256(content).hexdigest()) != digest:
            raise InvalidArgumentError("digest", f"is {digest}, but the content has {actual}")
        blob = self._blobs.setdefault(digest, _Blob(content, 0.0))
        blob.stored_at = time.monotonic()

    def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        """Add a piece if it is the next one; return how many bytes are here now."""
        if offset == self.upload_size(digest):
            upload = self._uploads.setdefault(digest, _Upload())
            upload.content += piece
            upload.extended_at = time.monotonic()
        return self.upload_size(digest)

    def upload_size(self, digest: str) -> int:
        """Return how many bytes of an unfinished upload are here."""
        return len(self._uploads[digest].content) if digest in self._uploads else 0

    def finish_upload(self, digest: str) -> None:
        """Store what was uploaded, and forget the upload in any case."""
        upload = self._uploads.pop(digest, _Upload())
        self.put(digest, self._blobs[digest].content if digest in self._blobs else bytes(upload.content))

    def content(self, digest: str) -> bytes:
        """Return a blob. Errors: DataCorruptionError when it is not stored."""
        if digest not in self._blobs:
            raise DataCorruptionError(f"blob {digest}", "it is not stored")
        return self._blobs[digest].content

    def size(self, digest: str) -> int | None:
        """Return the size of a blob, or None when it is not stored."""
        return len(self._blobs[digest].content) if digest in self._blobs else None

    def missing(self, digests: Collection[str]) -> set[str]:
        """Return which of these are not stored."""
        return set(digests) - self._blobs.keys()

    def check_stored(self, digests: Collection[str]) -> None:
        """Refuse references to blobs that are not stored."""
        if missing := self.missing(digests):
            raise checks.unknown_blobs(missing)

    def exchange(self, key: Key, before: frozenset[str], after: frozenset[str]) -> None:
        """Note that `key`, which used `before`, uses `after`, and drop what nobody uses any more."""
        for digest in after:
            self._blobs[digest].users.add(key)
        for digest in before - after:
            users = self._blobs[digest].users
            users.remove(key)
            if not users:
                del self._blobs[digest]

    def sweep(self, min_age_seconds: float) -> int:
        """Remove what nobody uses and is at least so old, uploads too; return how many blobs went."""
        latest = time.monotonic() - min_age_seconds
        unused = [digest for digest, blob in self._blobs.items() if not blob.users and blob.stored_at <= latest]
        for digest in unused:
            del self._blobs[digest]
        for digest in [digest for digest, upload in self._uploads.items() if upload.extended_at <= latest]:
            del self._uploads[digest]
        return len(unused)
