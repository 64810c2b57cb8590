"""What a list of sessions shows, without reading the sessions."""

from typing import Self

from sessionstore.model.base import FrozenModel
from sessionstore.model.scalar import F64, I64, U64, Str
from sessionstore.model.session import SessionData, SessionState


class SessionSummary(FrozenModel, extra="forbid"):
    """One session in a list. Costs are in US dollars, times in seconds since the epoch."""

    id: Str
    revision: U64
    name: Str
    state: SessionState
    model_name: Str | None = None
    parent_id: Str | None = None
    tenant_id: Str | None = None
    principal: Str | None = None
    agent_template_id: Str | None = None
    message_count: U64
    total_tokens: U64
    total_cost: F64
    created_at: I64
    updated_at: I64

    @classmethod
    def of(cls, session: SessionData, message_count: int | None = None) -> Self:
        """Summarize `session`, of unknown revision; its messages are counted unless `message_count` is given."""
        return cls(
            id=session.id,
            revision=0,
            name=session.config.name,
            state=session.state,
            model_name=session.model_name,
            parent_id=session.parent_id,
            tenant_id=session.tenant_id,
            principal=session.principal,
            agent_template_id=session.agent_template_id,
            message_count=len(session.messages) if message_count is None else message_count,
            total_tokens=session.total_usage.total_tokens,
            total_cost=session.total_cost,
            created_at=session.created_at,
            updated_at=session.updated_at,
        )


class SessionPage(FrozenModel, extra="forbid"):
    """A part of a list of sessions; an empty `next_page_token` says that it is the last one."""

    sessions: tuple[SessionSummary, ...]
    next_page_token: Str = ""
    unreachable: tuple[Str, ...] = ()
    """The ids of sessions that belong to this page and cannot be read; loading one tells what is damaged."""
