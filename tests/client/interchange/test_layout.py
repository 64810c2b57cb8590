"""Names and paths of the reference's two layouts."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.interchange.layout import (
    Kind,
    Layout,
    Place,
    current_name,
    current_place,
    id_of,
    legacy_name,
    legacy_place,
    place_of,
)


@pytest.mark.parametrize(
    ("document_id", "name"),
    [
        ("a", "id_YQ"),
        ("tenant/session", "id_dGVuYW50L3Nlc3Npb24"),
        ("ÿ?>", "id_w78_Pg"),
        ("🦊\\..", "id_8J-milwuLg"),
        ("", "id_"),
    ],
)
def test_a_current_name_is_url_safe_base64_without_padding(document_id, name):
    assert current_name(document_id) == name
    assert id_of(name) == document_id


@given(st.text())
def test_the_current_name_tells_the_id(document_id):
    assert id_of(current_name(document_id)) == document_id


@pytest.mark.parametrize(
    ("document_id", "name"),
    [
        ("tenant/session", "tenant_session"),
        ("a\\b/c", "a_b_c"),
        ("../up", "__up"),
        ("a...b", "a_.b"),
        ("a....b", "a__b"),
        ("a.b", "a.b"),
        ("🦊", "🦊"),
    ],
)
def test_a_legacy_name_replaces_separators_and_then_double_dots(document_id, name):
    assert legacy_name(document_id) == name


def _is_name(text):
    return text != "."


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("layout", Layout)
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(_is_name))
def test_a_path_tells_the_place(layout, kind, name):
    place = Place(layout, kind, name)
    assert place_of(place.path) == place


def test_places_stand_where_the_reference_has_them():
    assert str(current_place(Kind.SESSIONS, "a").path) == "v1/sessions/id_YQ.json"
    assert str(current_place(Kind.ARTIFACTS, "a").path) == "v1/artifacts/id_YQ/artifacts.json"
    assert str(current_place(Kind.VERIFICATION_REPORTS, "a").path) == "v1/verification/id_YQ.json"
    assert str(legacy_place(Kind.SESSIONS, "a/b").path) == "a_b.json"
    assert str(legacy_place(Kind.ARTIFACTS, "a/b").path) == "artifacts/a_b/artifacts.json"
    assert str(legacy_place(Kind.TRACE_EVENTS, "a/b").path) == "traces/a_b.json"


@pytest.mark.parametrize(
    "path", ["v1", "v1/x.json", "sessions/x.json", "v1/traces/a/b.json", "artifacts/x.json", "x", "x.JSON", ".json"]
)
def test_other_paths_are_no_places(path):
    assert place_of(PurePosixPath(path)) is None
