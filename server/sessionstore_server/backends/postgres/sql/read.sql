-- A view of one key at one revision (null: the present one), in rows of four parts: 0 the key, 1 documents, 2 logs,
-- 3 chunks of records, each with the position up to which it counts. One statement sees one snapshot.
-- Arrays stand in subselects, where the planner does not count them: so it makes one plan for all, and keeps it.
WITH viewed AS (
    SELECT k.key_id, k.revision AS present_revision, k.started_at, k.kept_from, c.revision, c.commit_time
    FROM sessionstore.keys k
    LEFT JOIN sessionstore.commits c ON c.key_id = k.key_id AND c.revision = coalesce($4::bigint, k.revision)
    WHERE k.namespace = $1 AND k.collection = $2 AND k.id = $3 AND k.present
), found_documents AS (
    SELECT d.name, d.content
    FROM viewed v
    CROSS JOIN unnest((SELECT $5::uuid[])) AS wanted (name_id)
    CROSS JOIN LATERAL (
        SELECT d.name, d.content FROM sessionstore.documents d
        WHERE d.key_id = v.key_id AND d.name_id = wanted.name_id AND d.since BETWEEN v.started_at AND v.revision
        ORDER BY d.since DESC LIMIT 1
    ) d
    UNION ALL
    SELECT d.name, d.content
    FROM viewed v
    CROSS JOIN unnest((SELECT $6::bytea[])) AS wanted (prefix)
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (d.name_id) d.name, d.content FROM sessionstore.documents d
        WHERE d.key_id = v.key_id AND d.since BETWEEN v.started_at AND v.revision
            AND substring(d.name FROM 1 FOR length(wanted.prefix)) = wanted.prefix
        ORDER BY d.name_id, d.since DESC
    ) d
), found_logs AS (
    SELECT DISTINCT ON (f.name) f.*,
        coalesce(
            f.stops[cardinality(f.stops)],
            (
                SELECT r.stop FROM sessionstore.records r
                WHERE r.segment_id = f.segments[cardinality(f.segments)] AND r.since <= f.revision
                ORDER BY r.position DESC LIMIT 1
            ),
            f.stops[cardinality(f.stops) - 1],
            0
        ) AS length
    FROM (
        SELECT l.name, l.shortened_at, l.segments, l.stops, v.revision, wanted.start, wanted.stop,
            9223372036854775807 AS rank
        FROM viewed v
        CROSS JOIN unnest((SELECT $7::uuid[]), (SELECT $8::bigint[]), (SELECT $9::bigint[])) AS wanted (name_id, start, stop)
        CROSS JOIN LATERAL (
            SELECT * FROM sessionstore.logs l
            WHERE l.key_id = v.key_id AND l.name_id = wanted.name_id AND l.since BETWEEN v.started_at AND v.revision
            ORDER BY l.since DESC LIMIT 1
        ) l
        UNION ALL
        SELECT l.name, l.shortened_at, l.segments, l.stops, v.revision, wanted.start, wanted.stop,
            length(wanted.prefix) AS rank
        FROM viewed v
        CROSS JOIN unnest((SELECT $10::bytea[]), (SELECT $11::bigint[]), (SELECT $12::bigint[])) AS wanted (prefix, start, stop)
        CROSS JOIN LATERAL (
            SELECT DISTINCT ON (l.name_id) * FROM sessionstore.logs l
            WHERE l.key_id = v.key_id AND l.since BETWEEN v.started_at AND v.revision
                AND substring(l.name FROM 1 FOR length(wanted.prefix)) = wanted.prefix
            ORDER BY l.name_id, l.since DESC
        ) l
    ) f
    WHERE f.segments IS NOT NULL
    ORDER BY f.name, f.rank DESC
)
SELECT 0 AS part, NULL::bytea AS name, v.revision AS number, v.present_revision AS other, v.kept_from AS bound,
    NULL::bytea AS content, v.commit_time
FROM viewed v
UNION ALL
SELECT 1, d.name, NULL, NULL, NULL, d.content, NULL FROM found_documents d WHERE d.content IS NOT NULL
UNION ALL
SELECT 2, l.name, l.length, l.shortened_at, NULL, NULL, NULL FROM found_logs l
UNION ALL
SELECT 3, l.name, r.position, r.stop, least(r.stop, s.stop, l.stop), r.content, NULL
FROM found_logs l
CROSS JOIN LATERAL unnest(l.segments, l.stops) AS s (segment_id, stop)
CROSS JOIN LATERAL (
    SELECT r.position, r.stop, r.content FROM sessionstore.records r
    WHERE r.segment_id = s.segment_id AND r.stop > l.start AND r.position < least(l.stop, s.stop)
        AND r.position >= coalesce(
            (
                SELECT f.position FROM sessionstore.records f
                WHERE f.segment_id = s.segment_id AND f.position <= l.start
                ORDER BY f.position DESC LIMIT 1
            ),
            0
        )
        AND (s.stop IS NOT NULL OR r.since <= l.revision)
    ORDER BY r.position
    OFFSET 0 -- so that each segment is looked up, however little the planner thinks of the index
) r
