"""From a store into a folder of the reference."""

import asyncio
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from sessionstore.interchange.document import DOCUMENT_TYPES, REFUSALS, DocumentError
from sessionstore.interchange.layout import RECORDS, Kind, current_place, legacy_place
from sessionstore.interchange.report import SNAPSHOTS, Progress, Report
from sessionstore.interchange.target import TargetFolder
from sessionstore.model import SessionData, SessionSnapshot
from sessionstore.model.document import check_document
from sessionstore.store import SessionStore


async def export_a3s(folder: Path, store: SessionStore, progress: Progress) -> Report:
    """Write every session and checkpoint of the store into `folder`, in the reference's current layout, and report.

    A session that was saved as a snapshot becomes one document; of any other each kind of records that was saved
    becomes a document beside it, also of records whose session was never saved.

    The current files of an id that is exported are replaced, or removed when the store has nothing for them; all
    other files stay. The folder is not locked: no agent should be using it. `progress` counts sessions and
    checkpoints. Errors: StorageError when the folder cannot be written or links lead out of it, and those of a store
    that fails as a whole.
    """
    target = await asyncio.to_thread(TargetFolder, folder)
    export = _Export(target, store)
    wanted = [
        *((Kind.SESSIONS, session_id) for session_id in await store.list()),
        *((None, session_id) for session_id in await store.list_unsaved()),
        *((Kind.LOOP_CHECKPOINTS, run_id) for run_id in await store.list_loop_checkpoints()),
        *((Kind.WORKFLOW_CHECKPOINTS, workflow_id) for workflow_id in await store.list_workflow_checkpoints()),
    ]
    for done, (kind, document_id) in enumerate(wanted, start=1):
        await export.item(kind, document_id)
        progress(done, len(wanted))
    export.report.sort()
    return export.report


class _Export:
    def __init__(self, target: TargetFolder, store: SessionStore) -> None:
        self._target, self._store = target, store
        self.report = Report("exported")

    async def item(self, kind: Kind | None, document_id: str) -> None:
        """Write a checkpoint, a session with its records, or (None) records whose session was never saved."""
        content = None if kind is None else await self._document(kind, document_id)
        if kind is None or isinstance(content, SessionData):
            for records in RECORDS:
                await self._document(records, document_id)

    async def _document(self, kind: Kind, document_id: str) -> object:
        """Write one document and return its content, or None when nothing was written."""
        path = current_place(kind, document_id).path
        try:
            content = await DOCUMENT_TYPES[kind].load(self._store)(document_id)
            if content is not None:
                await asyncio.to_thread(self._write, kind, path, content)
        except (*REFUSALS, DocumentError) as error:
            self._skip(path, document_id, str(error))
            return None
        if content is not None:
            self.report.count(SNAPSHOTS if isinstance(content, SessionSnapshot) else kind.label)
        elif kind in RECORDS:
            await asyncio.to_thread(self._clear, kind, document_id)
        else:
            self._skip(path, document_id, "was deleted during the export")
        return content

    def _write(self, kind: Kind, path: PurePosixPath, content: object) -> None:
        text = DOCUMENT_TYPES[kind].write(content)
        try:
            check_document(text, kind.label, unique_keys=False)
        except ValidationError as error:
            raise DocumentError(f"no reader would take it: {error.errors()[0]['msg']}") from error
        self._target.write(path, text)

    def _clear(self, kind: Kind, session_id: str) -> None:
        """See to it that the folder has no records of the kind either."""
        self._target.remove(current_place(kind, session_id).path)
        legacy = legacy_place(kind, session_id).path
        if self._target.has(legacy):
            problem = f"the store has no such records of {session_id!r}, the reference may take this file for them"
            self.report.leave_alone(legacy, problem)

    def _skip(self, path: PurePosixPath, document_id: str, reason: str) -> None:
        self.report.skip(f"{path} (id {document_id!r})", reason)
