-- Commits that are in no history and, when they remember a request, in no ledger any more.
WITH oldest AS (
    SELECT k.key_id, k.revision - $2::bigint AS revision, (
        SELECT c.revision FROM sessionstore.commits c
        WHERE c.key_id = k.key_id AND c.request_id IS NOT NULL
        ORDER BY c.revision DESC LIMIT 1 OFFSET $2::bigint - 1
    ) AS request_revision
    FROM sessionstore.keys k WHERE k.key_id = ANY ($1::uuid[])
)
DELETE FROM sessionstore.commits c USING oldest o
WHERE c.key_id = o.key_id
    AND c.revision < CASE WHEN c.request_id IS NULL THEN o.revision ELSE o.request_revision END
