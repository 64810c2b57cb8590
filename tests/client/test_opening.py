"""`open_store` finds a store by the scheme of its URL, and says what is wrong with a URL."""

import pytest

from sessionstore import (
    FileSessionStore,
    InvalidArgumentError,
    MemorySessionStore,
    RemoteSessionStore,
    SessionStore,
    StoreClosedError,
    UnknownSchemeError,
    open_store,
)
from sessionstore.opening import load_store_class
from sessionstore.testing import samples


@pytest.mark.parametrize(
    ("scheme", "store_class"),
    [("memory", MemorySessionStore), ("file", FileSessionStore), ("grpc", RemoteSessionStore)],
)
def test_a_scheme_names_a_class(scheme: str, store_class: type[SessionStore]) -> None:
    assert load_store_class(scheme) is store_class


@pytest.mark.parametrize("url", ["memory:", "memory://"])
async def test_memory(url: str) -> None:
    async with open_store(url) as store:
        assert store.backend_name == "memory"
        await store.save(samples.session())
    with pytest.raises(StoreClosedError):
        await store.list()


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
async def test_file(tmp_path, form: str) -> None:
    async with open_store(form.format(tmp_path / "a folder")) as store:
        assert store.backend_name == "file"
        await store.save(samples.session())
    assert (tmp_path / "a folder").is_dir()
    async with open_store(form.format(tmp_path / "a folder")) as store:
        assert await store.list() == [samples.session().id]


async def test_a_relative_path(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_store("file:data/sessions") as store:
        await store.save(samples.session())
    assert (tmp_path / "data" / "sessions").is_dir()


@pytest.mark.parametrize("url", ["", "data", "s3://bucket", "File:data", "/tmp/data", ":"])
async def test_an_unknown_scheme_lists_the_known_ones(url: str) -> None:
    with pytest.raises(UnknownSchemeError) as caught:
        async with open_store(url):
            pass
    assert caught.value == UnknownSchemeError(url.partition(":")[0], "file, grpc, memory, postgresql, sqlite")
    assert "known are file, grpc, memory, postgresql, sqlite" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["memory:x", "memory", "file:", "file", "file://", "file://host/path", "grpc:x", "grpc"]
)
async def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^url: ") as caught:
        async with open_store(url):
            pass
    assert repr(url) in str(caught.value)


async def test_a_store_that_has_no_url() -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be opened by URL"):
        SessionStore.from_url("x:")
