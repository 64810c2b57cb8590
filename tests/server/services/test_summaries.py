"""What lists know is the same, be it taken from a session as it came, or from the model of it."""

from hypothesis import given
from hypothesis import strategies as st

from sessionstore import SessionData, SessionSummary
from sessionstore.store.selection import attributes
from sessionstore.testing import strategies
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.records import SESSION, SESSION_SUMMARY
from sessionstore_server.services.sessions.summaries import summary_of


def assert_summarized(message: pb.SessionData, session: SessionData, message_count: int) -> None:
    wanted = SessionSummary.of(session, message_count)
    summary = summary_of(message, message_count)
    assert SESSION_SUMMARY.from_proto(pb.SessionSummary.FromString(summary.record)) == wanted
    assert summary.attributes == attributes(vars(wanted))


@given(strategies.sessions(), st.integers(0, 2**63 - 1))
def test_any_session(session: SessionData, message_count: int) -> None:
    assert_summarized(SESSION.to_proto(session), session, message_count)


def test_a_session_of_which_nothing_is_set() -> None:
    message = pb.SessionData(id="s")
    assert_summarized(message, SESSION.from_proto(message), 0)


def test_what_an_older_writer_did_not_know_by_name() -> None:
    unknown = '{"tenant_id":"t","state":"Paused","config":{"name":"n"}}'
    message = pb.SessionData(id="s", unknown_fields_json=unknown)
    assert_summarized(message, SESSION.from_proto(message), 1)
    assert summary_of(message, 1).attributes["tenant_id"] == "t"
