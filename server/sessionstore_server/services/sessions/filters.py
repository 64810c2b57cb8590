"""What requests ask of lists of sessions, as values of the interface."""

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionState
from sessionstore.store import SessionFilter, SessionOrder
from sessionstore.v1 import session_pb2 as pb

_STATES: dict[int, SessionState] = {
    pb.SessionState.Value(f"SESSION_STATE_{state.name}"): state for state in SessionState
}
_ORDERS: dict[int, SessionOrder] = {
    pb.SESSION_ORDER_UNSPECIFIED: SessionOrder.ID,
    pb.SESSION_ORDER_CREATED_AT: SessionOrder.CREATED_AT,
    pb.SESSION_ORDER_UPDATED_AT: SessionOrder.UPDATED_AT,
    pb.SESSION_ORDER_NAME: SessionOrder.NAME,
}


def filter_of(asked: pb.SessionFilter) -> SessionFilter:
    """Return the filter of a request. Errors: InvalidArgumentError for a state that is not known."""
    given = {field.name: value for field, value in asked.ListFields() if field.name != "state"}
    return SessionFilter(state=_state(asked.state), **given)


def order_of(request: pb.ListSessionsRequest) -> SessionOrder:
    """Return the order for which a request asks. Errors: InvalidArgumentError for one that is not known."""
    if request.order_by not in _ORDERS:
        raise InvalidArgumentError("order_by", f"is {request.order_by}: use one of {_names(pb.SessionOrder.keys())}")
    return _ORDERS[request.order_by]


def _state(number: int) -> SessionState | None:
    if number == pb.SESSION_STATE_UNSPECIFIED:
        return None
    if number not in _STATES:
        raise InvalidArgumentError("filter.state", f"is {number}: use one of {_names(pb.SessionState.keys())}")
    return _STATES[number]


def _names(known: list[str]) -> str:
    return ", ".join(known)
