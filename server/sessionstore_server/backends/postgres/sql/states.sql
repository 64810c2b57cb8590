-- What commits have to know of keys, each at a revision (null: the present one). Subselects: see `read.sql`.
SELECT k.namespace, k.collection, k.id, k.key_id, k.revision, k.commit_time, k.present, k.summarized, k.started_at,
    k.kept_from, commits.*, logs.*,
    ARRAY(
        SELECT r.digest FROM sessionstore.blob_references r
        WHERE r.key_id = k.key_id AND r.until IS NULL AND r.since <= coalesce(asked.revision, k.revision)
    ) AS blobs
FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::bigint[])) AS asked (namespace, collection, id, revision)
JOIN sessionstore.keys k
    ON k.namespace = asked.namespace AND k.collection = asked.collection AND k.id = asked.id
CROSS JOIN LATERAL (
    SELECT array_agg(c.revision ORDER BY c.revision) AS commit_revisions,
        array_agg(c.commit_time ORDER BY c.revision) AS commit_times,
        array_agg(c.token ORDER BY c.revision) AS tokens,
        array_agg(c.request_id ORDER BY c.revision) AS request_ids,
        array_agg(c.digest ORDER BY c.revision) AS digests,
        array_agg(c.existed ORDER BY c.revision) AS existed
    FROM sessionstore.commits c WHERE c.key_id = k.key_id
) commits
CROSS JOIN LATERAL (
    SELECT array_agg(l.name) AS log_names,
        array_agg(l.shortened_at) AS shortened_at,
        array_agg(l.segments::text) AS segments,
        array_agg(l.stops::text) AS stops,
        array_agg(coalesce(
            l.stops[cardinality(l.stops)],
            (
                SELECT r.stop FROM sessionstore.records r
                WHERE r.segment_id = l.segments[cardinality(l.segments)]
                    AND r.since <= coalesce(asked.revision, k.revision)
                ORDER BY r.position DESC LIMIT 1
            ),
            l.stops[cardinality(l.stops) - 1],
            0
        )) AS lengths
    FROM (
        SELECT DISTINCT ON (v.name_id) v.* FROM sessionstore.logs v
        WHERE v.key_id = k.key_id AND v.since BETWEEN k.started_at AND coalesce(asked.revision, k.revision)
        ORDER BY v.name_id, v.since DESC
    ) l
    WHERE l.segments IS NOT NULL
) logs
