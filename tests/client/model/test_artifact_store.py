"""The limits of an artifact store, and what it never gives up."""

from hashlib import sha256

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import ArtifactManifest, ArtifactStore, ToolArtifact


def artifact(uri: str, content: str = "x") -> ToolArtifact:
    return ToolArtifact(
        artifact_id=uri, artifact_uri=uri, tool_name="t", content=content, original_bytes=1, shown_bytes=1
    )


def uris(store: ArtifactStore) -> str:
    return "".join(kept.artifact_uri for kept in store)


def store_of(names: str, **limits: int) -> ArtifactStore:
    store = ArtifactStore(**limits)
    for name in names:
        store.put(artifact(name))
    return store


def test_the_default_limits():
    store = ArtifactStore()
    assert (store.max_artifacts, store.max_bytes) == (256, 16 * 1024 * 1024)
    for number in range(257):
        store.put(artifact(f"{number}"))
    assert len(store) == 256
    assert store.get("0") is None
    assert store.get("1") == artifact("1")


def test_iteration_goes_from_the_oldest_to_the_newest():
    assert uris(store_of("cab")) == "cab"


def test_putting_again_replaces_and_moves_to_the_end():
    store = store_of("abc")
    store.put(artifact("a", "new"))
    assert uris(store) == "bca"
    assert store.get("a") == artifact("a", "new")


def test_bytes_are_counted_in_utf_8():
    store = ArtifactStore(max_bytes=4)
    store.put(artifact("a", "éé"))
    store.put(artifact("b", "x"))
    assert uris(store) == "b"


def test_a_replaced_artifact_no_longer_counts():
    store = ArtifactStore(max_bytes=4)
    for _ in range(3):
        store.put(artifact("a", "xxx"))
    store.put(artifact("b"))
    assert uris(store) == "ab"


def test_retained_artifacts_are_skipped():
    store = store_of("abc", max_artifacts=3)
    store.pin("a")
    store.put(artifact("d"))
    assert uris(store) == "acd"


def test_retained_artifacts_may_exceed_the_limits():
    store = ArtifactStore(max_artifacts=1)
    store.set_retained("ab")
    for name in "abc":
        store.put(artifact(name))
    assert uris(store) == "ab"


def test_one_too_large_artifact_evicts_everything_and_itself():
    store = store_of("abc", max_bytes=3)
    store.pin("b")
    store.put(artifact("d", "xxxx"))
    assert uris(store) == "b"


def test_content_addressed_puts():
    store = store_of("ab")
    assert store.put_content_addressed(artifact("c"))
    assert not store.put_content_addressed(artifact("a"))
    with pytest.raises(InvalidArgumentError, match="artifact_uri: b already names another"):
        store.put_content_addressed(artifact("b", "other"))
    assert uris(store) == "abc"
    assert store.get("b") == artifact("b")


def test_what_is_retained():
    store = ArtifactStore()
    store.pin("b")
    store.pin("")
    store.pin("a")
    assert store.retained_uris == ("a", "b")
    store.set_retained(["z", "", "z"])
    assert store.retained_uris == ("z",)


def test_garbage_is_what_is_not_retained():
    store = store_of("abc")
    store.set_retained(["b", "absent"])
    assert store.collect_garbage() == 2
    assert uris(store) == "b"
    assert store.collect_garbage() == 0


def test_a_manifest_brings_everything_back(document):
    manifest = ArtifactManifest.model_validate_json(document("artifacts"))
    store = ArtifactStore.from_manifest(manifest)
    assert store.to_manifest() == manifest
    assert store == ArtifactStore.from_snapshot(manifest.artifacts, manifest.retained_uris)


def test_a_manifest_beyond_the_limits_loses_its_oldest_though_it_is_retained():
    manifest = ArtifactManifest(artifacts=[artifact(f"{number}") for number in range(257)], retained_uris=["0"])
    store = ArtifactStore.from_manifest(manifest)
    assert store.get("0") is None
    assert store.retained_uris == ("0",)


def test_a_snapshot_loses_nothing():
    artifacts = [artifact(f"{number}") for number in range(257)]
    assert tuple(ArtifactStore.from_snapshot(artifacts)) == tuple(artifacts)
    large = [artifact("a", "x" * (16 * 1024 * 1024)), artifact("b")]
    assert len(ArtifactStore.from_snapshot(large)) == 2


def test_a_manifest_with_one_uri_twice():
    same = ArtifactManifest(artifacts=[artifact("a"), artifact("b"), artifact("a")])
    assert uris(ArtifactStore.from_manifest(same)) == "ab"
    different = ArtifactManifest(artifacts=[artifact("a"), artifact("a", "other")])
    with pytest.raises(InvalidArgumentError):
        ArtifactStore.from_manifest(different)


def test_equality_is_about_content_order_and_retention():
    assert store_of("ab") == store_of("ab", max_artifacts=2)
    assert store_of("ab") != store_of("ba")
    pinned = store_of("ab")
    pinned.pin("a")
    assert pinned != store_of("ab")
    assert pinned != "ab"


def test_names_of_an_output():
    made = ToolArtifact.from_output("my tool/é-1_x", "héllo", 3)
    digest = sha256("héllo".encode()).hexdigest()
    assert made.artifact_id == f"tool-output:my_tool__-1_x:{digest}"
    assert made.artifact_uri == f"a3s://tool-output/my_tool__-1_x/{digest}"
    assert (made.tool_name, made.original_bytes, made.shown_bytes) == ("my tool/é-1_x", 6, 3)
