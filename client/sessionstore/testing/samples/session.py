"""A session in which every field has a value."""

from sessionstore.model import (
    AutoDelegationConfig,
    CognitivePackageBinding,
    CognitivePackageKnowledge,
    CognitivePackageLimits,
    ConfirmationPolicy,
    ContextUsage,
    DurableMemoryBinding,
    DurableMemoryMode,
    DurableMemoryNamespace,
    DurableMemoryRecallPolicy,
    ImageBlock,
    ImageSource,
    ImmutableContentAdapterBinding,
    LaneHandlerConfig,
    LlmConfigData,
    LlmCostRecord,
    Message,
    PermissionPolicy,
    PermissionRule,
    PlanningMode,
    PriorityBoostConfig,
    RateLimitConfig,
    RetryPolicyConfig,
    SecurityConfig,
    SessionConfig,
    SessionData,
    SessionLane,
    SessionQueueConfig,
    SessionState,
    Task,
    TaskHandlerMode,
    TaskPriority,
    TaskStatus,
    TextBlock,
    TokenUsage,
    ToolResultBlock,
    ToolResultTrust,
    ToolUseBlock,
    TranscriptVisibility,
)

DIGEST = f"sha256:{'5e' * 32}"
STARTED_MS = 1_767_225_600_000
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def session(session_id: str = "session-1") -> SessionData:
    """Return a session in which every field is set."""
    return SessionData(
        id=session_id,
        config=config(),
        state=SessionState.ACTIVE,
        messages=messages(),
        context_usage=ContextUsage(used_tokens=48_213, max_tokens=200_000, percent=0.241065, turns=3),
        total_usage=usage(),
        total_cost=0.184_25,
        model_name="model-large",
        cost_records=[
            LlmCostRecord(
                model="model-large",
                provider="example",
                prompt_tokens=46_000,
                completion_tokens=2_213,
                total_tokens=48_213,
                cost_usd=0.184_25,
                timestamp="2026-01-01T00:00:05.123456789Z",
                session_id=session_id,
            )
        ],
        tool_names=["bash", "read", "edit"],
        thinking_enabled=True,
        thinking_budget=16_000,
        created_at=STARTED_MS // 1000,
        updated_at=STARTED_MS // 1000 + 90,
        llm_config=LlmConfigData(provider="example", model="model-large", base_url="https://llm.example/v1"),
        tasks=tasks(),
        parent_id="session-0",
        tenant_id="tenant-1",
        principal="ada",
        agent_template_id="coder",
        correlation_id="request-7",
        durable_memory_binding=_memory_binding(),
        cognitive_package_binding=package_binding(),
        immutable_content_adapter_binding=_content_binding(),
    )


def config() -> SessionConfig:
    """Return a configuration with every policy."""
    return SessionConfig(
        name="Fix the parser",
        workspace="/workspace/parser",
        system_prompt="You repair parsers.\nAnswer in short sentences.",
        max_context_length=200_000,
        auto_compact=True,
        auto_compact_threshold=0.85,
        queue_config=SessionQueueConfig(
            lane_handlers={SessionLane.EXECUTE: LaneHandlerConfig(mode=TaskHandlerMode.HYBRID, timeout_ms=5_000)},
            enable_dlq=True,
            dlq_max_size=100,
            default_timeout_ms=30_000,
            storage_path="/var/queue",
            retry_policy=RetryPolicyConfig(strategy="fixed", fixed_delay_ms=250),
            rate_limit=RateLimitConfig(limit_type="per_minute", max_operations=60),
            priority_boost=PriorityBoostConfig(strategy="standard", deadline_ms=10_000),
            pressure_threshold=50,
            lane_timeouts={SessionLane.GENERATE: 120_000, SessionLane.CONTROL: 1_000},
        ),
        confirmation_policy=ConfirmationPolicy(enabled=True, yolo_lanes=[SessionLane.QUERY, SessionLane.CONTROL]),
        permission_policy=PermissionPolicy(
            deny=[PermissionRule(rule="bash(rm *)")],
            allow=[PermissionRule(rule="read")],
            ask=[PermissionRule(rule="edit(src/**)")],
        ),
        enforce_active_skill_tool_restrictions=True,
        max_parallel_tasks=4,
        auto_delegation=AutoDelegationConfig(enabled=True, min_confidence=0.9),
        parent_id="session-0",
        security_config=SecurityConfig(
            classification_rules=[{"name": "token", "pattern": "tok_[a-z]+", "level": "Sensitive"}],
            network_whitelist=["docs.example"],
            dangerous_commands=["rm -rf .*"],
        ),
        planning_mode=PlanningMode.ENABLED,
        goal_tracking=True,
    )


def messages() -> list[Message]:
    """Return a short conversation: a question with an image, a tool call, its result, an answer."""
    return [
        Message(
            role="user",
            content=(_image(), TextBlock(text="Why does the parser stop at “naïve”? 🧐")),
            transcript_text="Why does the parser stop?",
        ),
        Message(
            role="assistant",
            content=(ToolUseBlock(id="call-1", name="bash", input={"command": "pytest -x", "limit": 2**63}),),
            reasoning_content="The failing test tells more.",
        ),
        Message(
            role="user",
            content=(
                ToolResultBlock(
                    tool_use_id="call-1",
                    content=(TextBlock(text="1 failed\r\n"), _image()),
                    is_error=True,
                    trust=ToolResultTrust.EXTERNAL,
                    redaction_reviewed=True,
                ),
                ToolResultBlock(tool_use_id="call-2", content="", is_error=False),
            ),
            transcript_visibility=TranscriptVisibility.WIRE,
        ),
        Message.assistant("It reads bytes where it needs text."),
    ]


def tasks() -> list[Task]:
    """Return the task list of an agent."""
    return [
        Task(id="task-1", content="Reproduce", status=TaskStatus.COMPLETED, priority=TaskPriority.HIGH, tool="bash"),
        Task(id="task-2", content="Repair", dependencies=("task-1",), success_criteria="all tests pass"),
    ]


def usage() -> TokenUsage:
    """Return counted tokens."""
    return TokenUsage(
        prompt_tokens=46_000,
        completion_tokens=2_213,
        total_tokens=48_213,
        cache_read_tokens=40_000,
        cache_write_tokens=0,
    )


def _image() -> ImageBlock:
    return ImageBlock(source=ImageSource(type="base64", media_type="image/png", data=PIXEL))


def _memory_binding() -> DurableMemoryBinding:
    return DurableMemoryBinding(
        schema_version=1,
        namespace=DurableMemoryNamespace(tenant_id="tenant-1", principal_id="ada", scope_id="parser"),
        mode=DurableMemoryMode.ACTIVE_RECALL,
        recall_policy=DurableMemoryRecallPolicy(max_results=8, min_lexical_score=0.35, max_related_lookups=2),
    )


def package_binding() -> CognitivePackageBinding:
    """Return a cognitive package whose digests are right."""
    binding = CognitivePackageBinding(
        package_id="example/parsers",
        package_version="1.4.0",
        lifecycle_generation=3,
        generation_digest=DIGEST,
        capability_snapshot_digest="",
        knowledge=CognitivePackageKnowledge(
            surface_id="grammar",
            format_version="1",
            content_digest=DIGEST,
            lifecycle_generation=3,
            generation_digest=DIGEST,
        ),
        limits=CognitivePackageLimits(max_results=4, max_document_bytes=6_144, max_total_bytes=6_144),
    )
    return binding.model_copy(update={"capability_snapshot_digest": binding.derive_capability_snapshot_digest()})


def _content_binding() -> ImmutableContentAdapterBinding:
    binding = ImmutableContentAdapterBinding(authority_digest=DIGEST, maximum_bytes=1 << 20, binding_digest="")
    return binding.model_copy(update={"binding_digest": binding.derive_binding_digest()})
