"""Run events of the work around the dialogue: queues, memory, subagents, plans, goals, control, budgets.

Durations are in milliseconds.
"""

from enum import StrEnum
from typing import Literal

from sessionstore.model.base import FrozenModel, OmitNone
from sessionstore.model.open_value import OpenValue
from sessionstore.model.policy import SessionLane
from sessionstore.model.scalar import F32, F64, I64, U32, U64, Bool, Str
from sessionstore.model.task import AgentGoal, ExecutionPlan, Task, TaskStatus


class RunControlOperation(StrEnum):
    """How a run was controlled from outside."""

    STEER = "steer"
    INTERRUPT = "interrupt"


class ExternalTaskPendingEvent(FrozenModel):
    """A task waits for somebody outside."""

    type: Literal["external_task_pending"] = "external_task_pending"
    task_id: Str
    session_id: Str
    lane: SessionLane
    command_type: Str
    payload: OpenValue
    timeout_ms: U64


class ExternalTaskCompletedEvent(FrozenModel):
    """Somebody outside finished a task."""

    type: Literal["external_task_completed"] = "external_task_completed"
    task_id: Str
    session_id: Str
    success: Bool


class CommandDeadLetteredEvent(FrozenModel):
    """A command was given up."""

    type: Literal["command_dead_lettered"] = "command_dead_lettered"
    command_id: Str
    command_type: Str
    lane: Str
    error: Str
    attempts: U32


class CommandRetryEvent(FrozenModel):
    """A command will be repeated."""

    type: Literal["command_retry"] = "command_retry"
    command_id: Str
    command_type: Str
    lane: Str
    attempt: U32
    delay_ms: U64


class QueueAlertEvent(FrozenModel):
    """A queue is in trouble."""

    type: Literal["queue_alert"] = "queue_alert"
    level: Str
    alert_type: Str
    message: Str


class TaskUpdatedEvent(FrozenModel):
    """The task list changed."""

    type: Literal["task_updated"] = "task_updated"
    session_id: Str
    tasks: tuple[Task, ...]


class MemoryStoredEvent(FrozenModel):
    """Something was remembered."""

    type: Literal["memory_stored"] = "memory_stored"
    memory_id: Str
    memory_type: Str
    importance: F32
    tags: tuple[Str, ...]


class MemoryRecalledEvent(FrozenModel):
    """Something was recalled."""

    type: Literal["memory_recalled"] = "memory_recalled"
    memory_id: Str
    content: Str
    relevance: F32


class MemoriesSearchedEvent(FrozenModel):
    """Memories were searched."""

    type: Literal["memories_searched"] = "memories_searched"
    query: Str | None = None
    tags: tuple[Str, ...]
    result_count: U64


class MemoryClearedEvent(FrozenModel):
    """Memories of a tier (`long_term`, `short_term`, `working`) were removed."""

    type: Literal["memory_cleared"] = "memory_cleared"
    tier: Str
    count: U64


class SubagentStartEvent(FrozenModel):
    """A subagent began; `session_id` is the child's, `started_ms` epoch milliseconds."""

    type: Literal["subagent_start"] = "subagent_start"
    task_id: Str
    session_id: Str
    parent_session_id: Str
    agent: Str
    description: Str
    started_ms: U64 = 0


class SubagentProgressEvent(FrozenModel):
    """A subagent reported."""

    type: Literal["subagent_progress"] = "subagent_progress"
    task_id: Str
    session_id: Str
    status: Str
    metadata: OpenValue


class SubagentEndEvent(FrozenModel):
    """A subagent ended; `finished_ms` in epoch milliseconds."""

    type: Literal["subagent_end"] = "subagent_end"
    task_id: Str
    session_id: Str
    agent: Str
    output: Str
    success: Bool
    finished_ms: U64 = 0


class PlanningStartEvent(FrozenModel):
    """The agent began to plan."""

    type: Literal["planning_start"] = "planning_start"
    prompt: Str


class PlanningEndEvent(FrozenModel):
    """The plan is made."""

    type: Literal["planning_end"] = "planning_end"
    plan: ExecutionPlan
    estimated_steps: U64


class StepStartEvent(FrozenModel):
    """A step of the plan began."""

    type: Literal["step_start"] = "step_start"
    step_id: Str
    description: Str
    step_number: U64
    total_steps: U64


class StepEndEvent(FrozenModel):
    """A step of the plan ended."""

    type: Literal["step_end"] = "step_end"
    step_id: Str
    status: TaskStatus
    step_number: U64
    total_steps: U64


class GoalExtractedEvent(FrozenModel):
    """A goal was read from the prompt."""

    type: Literal["goal_extracted"] = "goal_extracted"
    goal: AgentGoal


class GoalProgressEvent(FrozenModel):
    """A goal came nearer; `progress` from 0 to 1."""

    type: Literal["goal_progress"] = "goal_progress"
    goal: Str
    progress: F32
    completed_steps: U64
    total_steps: U64


class GoalAchievedEvent(FrozenModel):
    """A goal was reached."""

    type: Literal["goal_achieved"] = "goal_achieved"
    goal: Str
    total_steps: U64
    duration_ms: I64


class RunControlAppliedEvent(FrozenModel):
    """Somebody steered or interrupted the run."""

    type: Literal["run_control_applied"] = "run_control_applied"
    request_id: Str
    operation: RunControlOperation
    turn_id: Str | None = None
    turn_revision: U64
    input: OmitNone[Str] = None
    reason: OmitNone[Str] = None


class PersistenceFailedEvent(FrozenModel):
    """The session could not be stored."""

    type: Literal["persistence_failed"] = "persistence_failed"
    session_id: Str
    operation: Str
    error: Str


class BudgetThresholdHitEvent(FrozenModel):
    """A budget ran low (`soft`) or out (`hard`), or another kind that the host defines."""

    type: Literal["budget_threshold_hit"] = "budget_threshold_hit"
    resource: Str
    kind: Str
    consumed: F64
    limit: F64
    message: OmitNone[Str] = None


class PassivationRequestedEvent(FrozenModel):
    """The session should be put to rest, at the latest in `deadline_ms`."""

    type: Literal["passivation_requested"] = "passivation_requested"
    reason: Str
    deadline_ms: OmitNone[U64] = None


class PeerInvocationEvent(FrozenModel):
    """Another session called this one."""

    type: Literal["peer_invocation"] = "peer_invocation"
    from_session_id: Str
    from_tenant_id: OmitNone[Str] = None
    correlation_id: OmitNone[Str] = None
