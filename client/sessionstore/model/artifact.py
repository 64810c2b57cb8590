"""Artifacts: outputs of tools, kept whole while the conversation shows only a part of them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Self

from sessionstore.model.base import FrozenModel
from sessionstore.model.rule import require
from sessionstore.model.scalar import U64, Str

DEFAULT_MAX_ARTIFACTS = 256
DEFAULT_MAX_ARTIFACT_BYTES = 16 * 1024 * 1024


class ToolArtifact(FrozenModel):
    """One output; `artifact_uri` is its identity. Sizes are in bytes."""

    artifact_id: Str
    artifact_uri: Str
    tool_name: Str
    content: Str
    original_bytes: U64
    shown_bytes: U64

    @classmethod
    def from_output(cls, tool_name: str, output: str, shown_bytes: int) -> Self:
        """Build the artifact of a tool's whole output, named after the tool and the SHA-256 of the output."""
        tool = re.sub(r"[^A-Za-z0-9_-]", "_", tool_name)
        content = output.encode()
        digest = sha256(content).hexdigest()
        return cls(
            artifact_id=f"tool-output:{tool}:{digest}",
            artifact_uri=f"a3s://tool-output/{tool}/{digest}",
            tool_name=tool_name,
            content=output,
            original_bytes=len(content),
            shown_bytes=shown_bytes,
        )

    @property
    def content_bytes(self) -> int:
        """The size of `content` in UTF-8, which counts against the limit of a store."""
        return len(self.content.encode())


class ArtifactReference(FrozenModel):
    """An artifact whose content stands apart, under its digest. Sizes are in bytes."""

    artifact_id: Str
    artifact_uri: Str
    tool_name: Str
    original_bytes: U64
    shown_bytes: U64
    sha256: Str
    """Of the content, in lower-case hex."""
    size: U64 = 0
    """Of the content; only told by a store, never asked for."""


class ArtifactManifest(FrozenModel):
    """All artifacts of a session, oldest first, and the sorted uris of those that are never evicted."""

    artifacts: tuple[ToolArtifact, ...]
    retained_uris: tuple[Str, ...] = ()


class ArtifactStore:
    """The artifacts of one session within limits: the oldest go first, retained ones never.

    Iteration goes from the oldest to the newest. Two stores are equal when their manifests are; their limits do
    not matter.
    """

    def __init__(self, max_artifacts: int = DEFAULT_MAX_ARTIFACTS, max_bytes: int = DEFAULT_MAX_ARTIFACT_BYTES) -> None:
        self.max_artifacts = max_artifacts
        self.max_bytes = max_bytes
        self._artifacts: dict[str, ToolArtifact] = {}
        self._retained: frozenset[str] = frozenset()
        self._bytes = 0
        self._unknown_fields: Mapping[str, object] = {}

    @classmethod
    def from_manifest(cls, manifest: ArtifactManifest, *, keep_all: bool = False) -> Self:
        """Build a store with the default limits, which apply before anything is retained.

        With `keep_all` the limits are raised so far that nothing is evicted. Unknown fields of the manifest come back
        in `to_manifest`. Errors: InvalidArgumentError when one uri names two different artifacts.
        """
        store = cls(*(_sufficient_limits(manifest.artifacts) if keep_all else ()))
        store._load(manifest.artifacts, manifest.retained_uris)
        store._unknown_fields = manifest.__pydantic_extra__ or {}
        return store

    @classmethod
    def from_snapshot(cls, artifacts: Sequence[ToolArtifact], retained_uris: Iterable[str] = ()) -> Self:
        """Build a store whose limits are raised so far that nothing is evicted. Errors: as `from_manifest`."""
        store = cls(*_sufficient_limits(artifacts))
        store._load(artifacts, retained_uris)
        return store

    def to_manifest(self) -> ArtifactManifest:
        """Return everything in it as one value."""
        known = {"artifacts": tuple(self), "retained_uris": self.retained_uris}
        return ArtifactManifest.model_validate({**self._unknown_fields, **known})

    def get(self, artifact_uri: str) -> ToolArtifact | None:
        """Return the artifact of that uri, or None."""
        return self._artifacts.get(artifact_uri)

    def put(self, artifact: ToolArtifact) -> None:
        """Add an artifact as the newest, in place of one with the same uri, and evict down to the limits.

        One that is larger than the limit evicts all others that are not retained, and then itself.
        """
        self._remove(artifact.artifact_uri)
        self._artifacts[artifact.artifact_uri] = artifact
        self._bytes += artifact.content_bytes
        self._evict()

    def put_content_addressed(self, artifact: ToolArtifact) -> bool:
        """Add an artifact whose uri stands for its content, and tell whether it was new.

        Errors: InvalidArgumentError when the uri names a different artifact; nothing changes then.
        """
        present = self.get(artifact.artifact_uri)
        if present is not None:
            require(present == artifact, "artifact_uri", f"{artifact.artifact_uri} already names another artifact")
            return False
        self.put(artifact)
        return True

    @property
    def retained_uris(self) -> tuple[str, ...]:
        """The uris that are never evicted, sorted; some may name artifacts that are absent."""
        return tuple(sorted(self._retained))

    def pin(self, artifact_uri: str) -> None:
        """Retain one more uri; an empty one is ignored."""
        self.set_retained((*self._retained, artifact_uri))

    def set_retained(self, artifact_uris: Iterable[str]) -> None:
        """Retain these uris and no others; empty ones are ignored."""
        self._retained = frozenset(artifact_uris) - {""}

    def collect_garbage(self) -> int:
        """Remove everything that is not retained, and return how many that were."""
        garbage = self._evictable()
        for uri in garbage:
            self._remove(uri)
        return len(garbage)

    def __len__(self) -> int:
        return len(self._artifacts)

    def __iter__(self) -> Iterator[ToolArtifact]:
        return iter(tuple(self._artifacts.values()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArtifactStore):
            return NotImplemented
        return self.to_manifest() == other.to_manifest()

    __hash__ = None  # type: ignore[assignment]

    def _load(self, artifacts: Iterable[ToolArtifact], retained_uris: Iterable[str]) -> None:
        for artifact in artifacts:
            self.put_content_addressed(artifact)
        self.set_retained(retained_uris)

    def _evict(self) -> None:
        if self._fits():
            return
        for uri in self._evictable():
            self._remove(uri)
            if self._fits():
                return

    def _fits(self) -> bool:
        return len(self._artifacts) <= self.max_artifacts and self._bytes <= self.max_bytes

    def _evictable(self) -> list[str]:
        return [uri for uri in self._artifacts if uri not in self._retained]

    def _remove(self, artifact_uri: str) -> None:
        removed = self._artifacts.pop(artifact_uri, None)
        if removed is not None:
            self._bytes -= removed.content_bytes


def _sufficient_limits(artifacts: Sequence[ToolArtifact]) -> tuple[int, int]:
    size = sum(artifact.content_bytes for artifact in artifacts)
    return max(DEFAULT_MAX_ARTIFACTS, len(artifacts)), max(DEFAULT_MAX_ARTIFACT_BYTES, size)
