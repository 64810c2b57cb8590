"""Moves the content of a file to a server and back, as a process of its own whose memory can be measured.

`python large_client.py ADDRESS FILE` prints `ready` once it is connected, begins when it reads a line, prints the
SHA-256 of what came back, and ends when it reads another.
"""

import asyncio
import hashlib
import sys
from pathlib import Path

from sessionstore import ArtifactReference, RemoteSessionStore, SessionChange, SessionStore


async def main(address: str, path: Path) -> None:
    async with RemoteSessionStore(address) as store:
        await store.health_check()
        tell("ready")
        tell(await moved(store, path))


async def moved(store: SessionStore, path: Path) -> str:
    """Store the content as an artifact of a session, and read it; return the digest of what came."""
    blob = await store.write_blob(path)
    reference = ArtifactReference(
        artifact_id="1", artifact_uri="1", tool_name="bash", original_bytes=0, shown_bytes=0, sha256=blob.sha256
    )
    await store.commit("a", SessionChange(artifact_references=[reference]))
    content = hashlib.sha256()
    async for piece in store.read_blob(blob.sha256):
        content.update(piece)
    return content.hexdigest()


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - how it talks to the test
    sys.stdin.readline()


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
