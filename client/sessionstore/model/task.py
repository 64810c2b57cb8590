"""Tasks, plans and goals of an agent."""

from enum import StrEnum

from pydantic import AliasChoices, Field

from sessionstore.model.base import FrozenModel, OmitEmpty, OmitNone, RequiredInJson
from sessionstore.model.scalar import F32, I64, U64, Bool, Str


class TaskStatus(StrEnum):
    """Where a task stands; `pending` and `in_progress` are active."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class TaskPriority(StrEnum):
    """How urgent a task is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Complexity(StrEnum):
    """How hard a plan is expected to be."""

    SIMPLE = "Simple"
    MEDIUM = "Medium"
    COMPLEX = "Complex"
    VERY_COMPLEX = "VeryComplex"


class Task(FrozenModel):
    """One item of an agent's list; frozen, because run events share it. `dependencies` are task ids."""

    id: Str
    content: Str = Field(validation_alias=AliasChoices("content", "description"))
    status: RequiredInJson[TaskStatus] = TaskStatus.PENDING
    priority: TaskPriority = TaskPriority.MEDIUM
    tool: OmitNone[Str] = None
    dependencies: OmitEmpty[tuple[Str, ...]] = ()
    success_criteria: OmitNone[Str] = None


class ExecutionPlan(FrozenModel):
    """The steps by which an agent means to reach a goal."""

    goal: Str
    steps: tuple[Task, ...]
    complexity: Complexity
    required_tools: tuple[Str, ...]
    estimated_steps: U64


class AgentGoal(FrozenModel):
    """A goal that was read from a prompt; `progress` from 0 to 1, times in seconds since the epoch."""

    description: Str
    success_criteria: tuple[Str, ...]
    progress: F32
    achieved: Bool
    created_at: I64
    achieved_at: I64 | None = None
