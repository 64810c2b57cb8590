-- Everything of keys that is in no history and no ledger any more, but the records of their logs. The lock waits for
-- commits under way, also of forks, and holds others up: none can bring back what goes here.
WITH kept AS MATERIALIZED (
    SELECT k.key_id, k.revision, k.present, k.summarized, k.started_at,
        greatest(k.kept_from, k.revision - $2::bigint + 1) AS oldest,
        (
            SELECT c.revision FROM sessionstore.commits c
            WHERE c.key_id = k.key_id AND c.request_id IS NOT NULL
            ORDER BY c.revision DESC LIMIT 1 OFFSET $3::bigint - 1
        ) AS oldest_request
    FROM sessionstore.keys k
    WHERE k.key_id = ANY ($1::uuid[])
    ORDER BY k.key_id
    FOR UPDATE OF k
), pruned_commits AS (
    DELETE FROM sessionstore.commits c USING kept k
    WHERE c.key_id = k.key_id
        AND c.revision < CASE WHEN c.request_id IS NULL THEN k.revision - $3::bigint ELSE k.oldest_request END
), pruned_documents AS (
    DELETE FROM sessionstore.documents d USING kept k
    WHERE d.key_id = k.key_id AND (
        NOT k.present
        OR d.since < k.started_at
        OR (d.content IS NULL AND d.since <= k.oldest)
        OR EXISTS (
            SELECT FROM sessionstore.documents newer
            WHERE newer.key_id = d.key_id AND newer.name_id = d.name_id AND newer.since > d.since
                AND newer.since <= k.oldest
        )
    )
), pruned_logs AS (
    DELETE FROM sessionstore.logs l USING kept k
    WHERE l.key_id = k.key_id AND (
        NOT k.present
        OR l.since < k.started_at
        OR (l.segments IS NULL AND l.since <= k.oldest)
        OR EXISTS (
            SELECT FROM sessionstore.logs newer
            WHERE newer.key_id = l.key_id AND newer.name_id = l.name_id AND newer.since > l.since
                AND newer.since <= k.oldest
        )
    )
    RETURNING l.segments
), pruned_summaries AS (
    DELETE FROM sessionstore.summaries s USING kept k WHERE s.key_id = k.key_id AND NOT k.summarized
), pruned_references AS (
    DELETE FROM sessionstore.blob_references r USING kept k
    WHERE r.key_id = k.key_id AND r.until IS NOT NULL
    RETURNING r.digest
)
SELECT
    ARRAY(SELECT DISTINCT s.id FROM pruned_logs l CROSS JOIN LATERAL unnest(l.segments) AS s (id)) AS segments,
    ARRAY(SELECT DISTINCT r.digest FROM pruned_references r) AS digests
