"""Every RPC of the services, typed. Services answer by this table, the adapter calls by it."""

from sessionstore.transport import Kind, Method
from sessionstore.v1 import artifact_pb2 as artifact
from sessionstore.v1 import checkpoint_pb2 as checkpoint
from sessionstore.v1 import commit_pb2 as commit
from sessionstore.v1 import history_pb2 as history
from sessionstore.v1 import lease_pb2 as lease
from sessionstore.v1 import multiplex_pb2 as multiplex
from sessionstore.v1 import run_pb2 as run
from sessionstore.v1 import session_pb2 as session
from sessionstore.v1 import snapshot_pb2 as snapshot
from sessionstore.v1 import subagent_pb2 as subagent
from sessionstore.v1 import system_pb2 as system
from sessionstore.v1 import trace_pb2 as trace
from sessionstore.v1 import transfer_pb2 as transfer
from sessionstore.v1 import verification_pb2 as verification
from sessionstore.v1 import watch_pb2 as watch

_SESSIONS = "sessionstore.v1.SessionService"
SAVE_SESSION = Method(_SESSIONS, "SaveSession", session.SaveSessionRequest, session.SaveSessionResponse)
LOAD_SESSION = Method(_SESSIONS, "LoadSession", session.LoadSessionRequest, session.LoadSessionResponse, reads=True)
DELETE_SESSION = Method(_SESSIONS, "DeleteSession", session.DeleteSessionRequest, session.DeleteSessionResponse)
SESSION_EXISTS = Method(
    _SESSIONS, "SessionExists", session.SessionExistsRequest, session.SessionExistsResponse, reads=True
)
LIST_SESSIONS = Method(_SESSIONS, "ListSessions", session.ListSessionsRequest, session.ListSessionsResponse, reads=True)
COUNT_SESSIONS = Method(
    _SESSIONS, "CountSessions", session.CountSessionsRequest, session.CountSessionsResponse, reads=True
)

_COMMITS = "sessionstore.v1.CommitService"
COMMIT_SESSION = Method(_COMMITS, "CommitSession", commit.CommitSessionRequest, commit.CommitSessionResponse)

_HISTORY = "sessionstore.v1.HistoryService"
LIST_REVISIONS = Method(
    _HISTORY, "ListRevisions", history.ListRevisionsRequest, history.ListRevisionsResponse, reads=True
)
FORK_SESSION = Method(_HISTORY, "ForkSession", history.ForkSessionRequest, history.ForkSessionResponse)

_SNAPSHOTS = "sessionstore.v1.SnapshotService"
SAVE_SNAPSHOT = Method(
    _SNAPSHOTS, "SaveSnapshot", snapshot.SaveSnapshotRequest, snapshot.SaveSnapshotResponse, Kind.UPLOAD
)
LOAD_SNAPSHOT = Method(
    _SNAPSHOTS, "LoadSnapshot", snapshot.LoadSnapshotRequest, snapshot.LoadSnapshotResponse, Kind.DOWNLOAD, reads=True
)

_ARTIFACTS = "sessionstore.v1.ArtifactService"
SAVE_ARTIFACTS = Method(_ARTIFACTS, "SaveArtifacts", artifact.SaveArtifactsRequest, artifact.SaveArtifactsResponse)
LOAD_ARTIFACTS = Method(
    _ARTIFACTS, "LoadArtifacts", artifact.LoadArtifactsRequest, artifact.LoadArtifactsResponse, reads=True
)
LIST_ARTIFACTS = Method(
    _ARTIFACTS, "ListArtifacts", artifact.ListArtifactsRequest, artifact.ListArtifactsResponse, reads=True
)
FIND_MISSING_BLOBS = Method(
    _ARTIFACTS, "FindMissingBlobs", artifact.FindMissingBlobsRequest, artifact.FindMissingBlobsResponse, reads=True
)
WRITE_BLOB = Method(_ARTIFACTS, "WriteBlob", artifact.WriteBlobRequest, artifact.WriteBlobResponse, Kind.UPLOAD)
READ_BLOB = Method(
    _ARTIFACTS, "ReadBlob", artifact.ReadBlobRequest, artifact.ReadBlobResponse, Kind.DOWNLOAD, reads=True
)

_TRACES = "sessionstore.v1.TraceService"
SAVE_TRACE_EVENTS = Method(_TRACES, "SaveTraceEvents", trace.SaveTraceEventsRequest, trace.SaveTraceEventsResponse)
LOAD_TRACE_EVENTS = Method(
    _TRACES, "LoadTraceEvents", trace.LoadTraceEventsRequest, trace.LoadTraceEventsResponse, reads=True
)
APPEND_TRACE_EVENTS = Method(
    _TRACES,
    "AppendTraceEvents",
    trace.AppendTraceEventsRequest,
    trace.AppendTraceEventsResponse,
    Kind.DUPLEX,
    is_open_ended=True,
)
READ_TRACE_EVENTS = Method(
    _TRACES, "ReadTraceEvents", trace.ReadTraceEventsRequest, trace.ReadTraceEventsResponse, reads=True
)
FOLLOW_TRACE_EVENTS = Method(
    _TRACES,
    "FollowTraceEvents",
    trace.FollowTraceEventsRequest,
    trace.FollowTraceEventsResponse,
    Kind.DOWNLOAD,
    reads=True,
    is_open_ended=True,
)

_RUNS = "sessionstore.v1.RunService"
SAVE_RUN_RECORDS = Method(_RUNS, "SaveRunRecords", run.SaveRunRecordsRequest, run.SaveRunRecordsResponse)
LOAD_RUN_RECORDS = Method(_RUNS, "LoadRunRecords", run.LoadRunRecordsRequest, run.LoadRunRecordsResponse, reads=True)
APPEND_RUN_EVENTS = Method(
    _RUNS, "AppendRunEvents", run.AppendRunEventsRequest, run.AppendRunEventsResponse, Kind.DUPLEX, is_open_ended=True
)
READ_RUN_EVENTS = Method(_RUNS, "ReadRunEvents", run.ReadRunEventsRequest, run.ReadRunEventsResponse, reads=True)
FOLLOW_RUN_EVENTS = Method(
    _RUNS,
    "FollowRunEvents",
    run.FollowRunEventsRequest,
    run.FollowRunEventsResponse,
    Kind.DOWNLOAD,
    reads=True,
    is_open_ended=True,
)

_VERIFICATION = "sessionstore.v1.VerificationService"
SAVE_VERIFICATION_REPORTS = Method(
    _VERIFICATION,
    "SaveVerificationReports",
    verification.SaveVerificationReportsRequest,
    verification.SaveVerificationReportsResponse,
)
LOAD_VERIFICATION_REPORTS = Method(
    _VERIFICATION,
    "LoadVerificationReports",
    verification.LoadVerificationReportsRequest,
    verification.LoadVerificationReportsResponse,
    reads=True,
)

_SUBAGENTS = "sessionstore.v1.SubagentService"
SAVE_SUBAGENT_TASKS = Method(
    _SUBAGENTS, "SaveSubagentTasks", subagent.SaveSubagentTasksRequest, subagent.SaveSubagentTasksResponse
)
LOAD_SUBAGENT_TASKS = Method(
    _SUBAGENTS, "LoadSubagentTasks", subagent.LoadSubagentTasksRequest, subagent.LoadSubagentTasksResponse, reads=True
)

_CHECKPOINTS = "sessionstore.v1.CheckpointService"
SAVE_LOOP_CHECKPOINT = Method(
    _CHECKPOINTS, "SaveLoopCheckpoint", checkpoint.SaveLoopCheckpointRequest, checkpoint.SaveLoopCheckpointResponse
)
LOAD_LOOP_CHECKPOINT = Method(
    _CHECKPOINTS,
    "LoadLoopCheckpoint",
    checkpoint.LoadLoopCheckpointRequest,
    checkpoint.LoadLoopCheckpointResponse,
    reads=True,
)
DELETE_LOOP_CHECKPOINT = Method(
    _CHECKPOINTS,
    "DeleteLoopCheckpoint",
    checkpoint.DeleteLoopCheckpointRequest,
    checkpoint.DeleteLoopCheckpointResponse,
)
LIST_LOOP_CHECKPOINTS = Method(
    _CHECKPOINTS,
    "ListLoopCheckpoints",
    checkpoint.ListLoopCheckpointsRequest,
    checkpoint.ListLoopCheckpointsResponse,
    reads=True,
)
SAVE_WORKFLOW_CHECKPOINT = Method(
    _CHECKPOINTS,
    "SaveWorkflowCheckpoint",
    checkpoint.SaveWorkflowCheckpointRequest,
    checkpoint.SaveWorkflowCheckpointResponse,
)
LOAD_WORKFLOW_CHECKPOINT = Method(
    _CHECKPOINTS,
    "LoadWorkflowCheckpoint",
    checkpoint.LoadWorkflowCheckpointRequest,
    checkpoint.LoadWorkflowCheckpointResponse,
    reads=True,
)
DELETE_WORKFLOW_CHECKPOINT = Method(
    _CHECKPOINTS,
    "DeleteWorkflowCheckpoint",
    checkpoint.DeleteWorkflowCheckpointRequest,
    checkpoint.DeleteWorkflowCheckpointResponse,
)
LIST_WORKFLOW_CHECKPOINTS = Method(
    _CHECKPOINTS,
    "ListWorkflowCheckpoints",
    checkpoint.ListWorkflowCheckpointsRequest,
    checkpoint.ListWorkflowCheckpointsResponse,
    reads=True,
)

_LEASES = "sessionstore.v1.LeaseService"
ACQUIRE_LEASE = Method(_LEASES, "AcquireLease", lease.AcquireLeaseRequest, lease.AcquireLeaseResponse)
RENEW_LEASE = Method(_LEASES, "RenewLease", lease.RenewLeaseRequest, lease.RenewLeaseResponse)
RELEASE_LEASE = Method(_LEASES, "ReleaseLease", lease.ReleaseLeaseRequest, lease.ReleaseLeaseResponse)
LIST_LEASES = Method(_LEASES, "ListLeases", lease.ListLeasesRequest, lease.ListLeasesResponse, reads=True)

_WATCH = "sessionstore.v1.WatchService"
WATCH_COMMITS = Method(
    _WATCH,
    "WatchCommits",
    watch.WatchCommitsRequest,
    watch.WatchCommitsResponse,
    Kind.DOWNLOAD,
    reads=True,
    is_open_ended=True,
)

_TRANSFER = "sessionstore.v1.TransferService"
TRANSFER = Method(_TRANSFER, "Transfer", transfer.TransferRequest, transfer.TransferResponse, Kind.DUPLEX)

_MULTIPLEX = "sessionstore.v1.MultiplexService"
MULTIPLEX = Method(
    _MULTIPLEX,
    "Multiplex",
    multiplex.MultiplexRequest,
    multiplex.MultiplexResponse,
    Kind.DUPLEX,
    is_open_ended=True,
)

_SYSTEM = "sessionstore.v1.SystemService"
GET_CAPABILITIES = Method(
    _SYSTEM, "GetCapabilities", system.GetCapabilitiesRequest, system.GetCapabilitiesResponse, reads=True
)
CHECK_HEALTH = Method(_SYSTEM, "CheckHealth", system.CheckHealthRequest, system.CheckHealthResponse, reads=True)

ALL_METHODS = tuple(value for value in list(globals().values()) if isinstance(value, Method))
"""Every RPC there is."""
