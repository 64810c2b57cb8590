"""`sessionstore import-a3s` and `export-a3s`, run as programs against a folder and against a server."""

import json
import shutil
from pathlib import Path

import pytest

from sessionstore import FileSessionStore
from sessionstore.testing import samples

CURRENT = Path(__file__).parents[1] / "client" / "interchange" / "fixtures" / "current"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("remote", [False, True], ids=["file", "grpc"])
async def test_what_was_imported_is_exported_as_it_was(run_cli, serve, folder, tmp_path, remote: bool) -> None:
    store = (await serve(f"file:{folder}")).url if remote else f"file:{folder}"
    imported = await run_cli("import-a3s", CURRENT, "--store", store)
    exported = await run_cli("export-a3s", tmp_path / "out", "--store", store)
    assert (imported[0], exported[0]) == (0, 0), imported + exported
    before, after = files(CURRENT), files(tmp_path / "out")
    assert after
    assert after.items() <= before.items()
    assert {path for path in before if path.startswith("v1/sessions/")} <= after.keys()


async def test_the_report_says_what_came_and_what_did_not(run_cli, folder, tmp_path) -> None:
    shutil.copytree(CURRENT, tmp_path / "in")
    (bad := tmp_path / "in" / "v1" / "sessions" / "id_YmFk.json").write_text('{"id": "bad')
    (tmp_path / "in" / "v1" / "sessions" / "\x9b2J.json").write_text("a name that clears terminals")
    status, text, _ = await run_cli("import-a3s", tmp_path / "in", "--store", f"file:{folder}")
    assert bad.name in text
    json_status, document, _ = await run_cli("import-a3s", tmp_path / "in", "--store", f"file:{folder}", "--json")
    assert status == json_status == 1
    assert bad.name in json.dumps(json.loads(document))
    assert "2J" in text
    assert "2J" in document
    assert "\x9b" not in text + document
    async with FileSessionStore(folder) as store:
        assert await store.list()
        assert "bad" not in await store.list()


async def test_an_export_keeps_what_is_not_its_own(run_cli, folder, tmp_path) -> None:
    async with FileSessionStore(folder) as store:
        await store.save_snapshot(samples.snapshot("one"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.txt").write_text("keep me")
    for _ in range(2):
        status, _, errors = await run_cli("export-a3s", tmp_path / "out", "--store", f"file:{folder}")
        assert (status, errors) == (0, "")
    assert (tmp_path / "out" / "note.txt").read_text() == "keep me"
    assert len(list((tmp_path / "out" / "v1" / "sessions").iterdir())) == 1
