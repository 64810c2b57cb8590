"""Puts what one store holds of a session into another."""

import asyncio
from collections.abc import Awaitable
from tempfile import TemporaryFile
from typing import Any, Protocol

from sessionstore.errors import DataCorruptionError
from sessionstore.interchange.layout import RECORDS, Kind
from sessionstore.model import ArtifactReference
from sessionstore.moving.holding import Holding
from sessionstore.store import SessionChange, SessionStore


class _Save(Protocol):
    def __call__(self, session_id: str, records: Any, /, *, expected_revision: int | None) -> Awaitable[int]:  # noqa: ANN401
        """Replace the records of one kind, on condition of the revision."""


async def write_holding(holding: Holding, source: SessionStore, target: SessionStore, theirs: Holding) -> None:
    """Make `target` hold the same under the id, where it holds `theirs`; content that stands apart is streamed.

    A snapshot comes as one unit, but for artifacts that stand apart; otherwise the session comes last, so that it
    exists only with its records. Errors: RevisionConflictError when somebody else wrote there; those of the stores.
    """
    if holding.is_apart:
        await _copy_contents(holding, source, target)
    revision: int | None
    if holding.snapshot:
        revision = await target.save_snapshot(holding.snapshot, expected_revision=theirs.revision)
    else:
        revision = await _save_pieces(holding, target, await _room_for(holding, target, theirs))
    if holding.is_apart:
        await target.commit(
            holding.id, SessionChange(artifact_references=holding.references), expected_revision=revision
        )


async def write_checkpoint(kind: Kind, holding: Holding, target: SessionStore, theirs: Holding) -> None:
    """Make `target` hold the checkpoint where it holds `theirs`. Errors: as `write_holding`."""
    save: _Save = getattr(target, f"save_{kind.label.removesuffix('s')}")
    await save(holding.id, holding.documents[kind], expected_revision=theirs.revision)


async def _room_for(holding: Holding, target: SessionStore, theirs: Holding) -> int | None:
    """Remove what would stay beside the pieces of `holding`; return the revision after that, if there are revisions."""
    if theirs.is_part_of(holding):
        return theirs.revision
    await target.delete(holding.id, expected_revision=theirs.revision)
    return None if theirs.revision is None else 0


async def _save_pieces(holding: Holding, target: SessionStore, revision: int | None) -> int | None:
    """Save what was saved kind by kind; return the revision after that, if there are revisions."""
    documents, has_revisions = holding.documents, revision is not None
    for kind in RECORDS:
        if kind in documents:
            save: _Save = getattr(target, f"save_{kind.label}")
            saved = await save(holding.id, documents[kind], expected_revision=revision)
            revision = saved if has_revisions else None
    if Kind.SESSIONS in documents:
        saved = await target.save(documents[Kind.SESSIONS], expected_revision=revision)
        revision = saved if has_revisions else None
    return revision


async def _copy_contents(holding: Holding, source: SessionStore, target: SessionStore) -> None:
    by_digest = {reference.sha256: reference for reference in holding.references}
    for digest in sorted(await target.find_missing_blobs(list(by_digest))):
        await _copy_content(by_digest[digest], source, target)


async def _copy_content(reference: ArtifactReference, source: SessionStore, target: SessionStore) -> None:
    """Copy content by way of a temporary file. Errors: DataCorruptionError when other content came."""
    with TemporaryFile() as file:
        async for piece in source.read_blob(reference.sha256):
            await asyncio.to_thread(file.write, piece)
        written = await target.write_blob(file)
    if written.sha256 != reference.sha256:
        raise DataCorruptionError(f"blob {reference.sha256}", f"what was read has the digest {written.sha256}")
