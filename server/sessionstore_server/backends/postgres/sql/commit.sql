-- All commits of a batch in one statement. A commit wins if its key is still at the revision before, and the keys that
-- guard it are at theirs, which the lock keeps so until this is committed. Everything else follows from who won.
-- Arrays stand in subselects, where the planner does not count them: so it makes one plan for all, and keeps it.
WITH batch AS (
    SELECT * FROM unnest(
        (SELECT $1::uuid[]), (SELECT $2::bigint[]), (SELECT $3::boolean[]), (SELECT $4::boolean[]), (SELECT $5::bigint[]), (SELECT $6::bigint[]), (SELECT $7::bigint[]),
        (SELECT $8::bigint[]), (SELECT $9::uuid[]), (SELECT $10::text[]), (SELECT $11::text[]), (SELECT $12::boolean[])
    ) AS b (
        key_id, revision, present, summarized, started_at, kept_from, guards,
        sequence, token, request_id, digest, existed
    )
), guarded AS MATERIALIZED (
    SELECT g.key_id
    FROM unnest((SELECT $13::uuid[]), (SELECT $14::uuid[]), (SELECT $15::bigint[])) AS g (key_id, guard_id, revision)
    JOIN sessionstore.keys k ON k.key_id = g.guard_id AND k.revision = g.revision
    FOR SHARE OF k
), admitted AS MATERIALIZED (
    SELECT b.* FROM batch b WHERE b.guards = (SELECT count(*) FROM guarded g WHERE g.key_id = b.key_id)
), won AS (
    UPDATE sessionstore.keys k
    SET revision = b.revision, commit_time = greatest(now(), $16::timestamptz), present = b.present,
        summarized = b.summarized, started_at = b.started_at, kept_from = b.kept_from
    FROM admitted b
    WHERE k.key_id = b.key_id AND k.revision = b.revision - 1
    RETURNING k.key_id, k.namespace, k.collection, k.id, k.revision, k.commit_time, k.present
), added_commits AS (
    INSERT INTO sessionstore.commits (key_id, revision, commit_time, token, request_id, digest, existed)
    SELECT w.key_id, w.revision, w.commit_time, b.token, b.request_id, b.digest, b.existed
    FROM won w JOIN batch b ON b.key_id = w.key_id
), added_documents AS (
    INSERT INTO sessionstore.documents (key_id, name_id, since, name, content)
    SELECT w.key_id, d.name_id, w.revision, d.name, d.content
    FROM unnest((SELECT $17::uuid[]), (SELECT $18::uuid[]), (SELECT $19::bytea[]), (SELECT $20::bytea[])) AS d (key_id, name_id, name, content)
    JOIN won w ON w.key_id = d.key_id
), added_logs AS (
    INSERT INTO sessionstore.logs (key_id, name_id, since, name, shortened_at, segments, stops)
    SELECT w.key_id, l.name_id, w.revision, l.name, l.shortened_at, l.segments::uuid[], l.stops::bigint[]
    FROM unnest($21::uuid[], $22::uuid[], $23::bytea[], $24::bigint[], $25::text[], $26::text[])
        AS l (key_id, name_id, name, shortened_at, segments, stops)
    JOIN won w ON w.key_id = l.key_id
), added_segments AS (
    INSERT INTO sessionstore.segments (segment_id, key_id)
    SELECT s.segment_id, w.key_id
    FROM unnest((SELECT $27::uuid[]), (SELECT $28::uuid[])) AS s (key_id, segment_id) JOIN won w ON w.key_id = s.key_id
    ON CONFLICT (segment_id, key_id) DO NOTHING
), added_records AS (
    INSERT INTO sessionstore.records (segment_id, position, since, content)
    SELECT r.segment_id, r.position, w.revision, r.content
    FROM unnest((SELECT $29::uuid[]), (SELECT $30::uuid[]), (SELECT $31::bigint[]), (SELECT $32::bytea[])) AS r (key_id, segment_id, position, content)
    JOIN won w ON w.key_id = r.key_id
), changed_references AS (
    INSERT INTO sessionstore.blob_references (key_id, digest, since, until)
    SELECT w.key_id, r.digest, w.revision, CASE WHEN r.kept THEN NULL ELSE w.revision END
    FROM unnest((SELECT $33::uuid[]), (SELECT $34::text[]), (SELECT $35::boolean[])) AS r (key_id, digest, kept)
    JOIN won w ON w.key_id = r.key_id
    ON CONFLICT (key_id, digest) DO UPDATE SET since = excluded.since, until = excluded.until
), changed_summaries AS (
    INSERT INTO sessionstore.summaries (
        key_id, namespace, collection, id, record, name, state, model_name, parent_id, tenant_id, principal,
        agent_template_id, created_at, updated_at, message_count
    )
    SELECT w.key_id, w.namespace, w.collection, w.id, s.record, s.name, s.state, s.model_name, s.parent_id,
        s.tenant_id, s.principal, s.agent_template_id, s.created_at, s.updated_at, s.message_count
    FROM unnest(
        (SELECT $36::uuid[]), (SELECT $37::bytea[]), (SELECT $38::text[]), (SELECT $39::text[]), (SELECT $40::text[]), (SELECT $41::text[]), (SELECT $42::text[]), (SELECT $43::text[]),
        (SELECT $44::text[]), (SELECT $45::bigint[]), (SELECT $46::bigint[]), (SELECT $47::bigint[])
    ) AS s (
        key_id, record, name, state, model_name, parent_id, tenant_id, principal,
        agent_template_id, created_at, updated_at, message_count
    )
    JOIN won w ON w.key_id = s.key_id
    ON CONFLICT (key_id) DO UPDATE SET
        record = excluded.record, name = excluded.name, state = excluded.state, model_name = excluded.model_name,
        parent_id = excluded.parent_id, tenant_id = excluded.tenant_id, principal = excluded.principal,
        agent_template_id = excluded.agent_template_id, created_at = excluded.created_at,
        updated_at = excluded.updated_at, message_count = excluded.message_count
), told AS (
    INSERT INTO sessionstore.feed (writer, sequence, namespace, collection, id, revision, commit_time, deleted)
    SELECT $48::uuid, b.sequence, w.namespace, w.collection, w.id, w.revision, w.commit_time, NOT w.present
    FROM won w JOIN batch b ON b.key_id = w.key_id
), counted AS (
    INSERT INTO sessionstore.writers (writer, first, last, last_time)
    VALUES ($48::uuid, 1, $49::bigint, greatest(now(), $16::timestamptz))
    ON CONFLICT (writer) DO UPDATE SET last = excluded.last, last_time = excluded.last_time
)
SELECT key_id, commit_time FROM won
