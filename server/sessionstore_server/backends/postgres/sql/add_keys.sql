-- Rows at revision 0 for keys that are absent, so that each commit, also the first one, is an update.
INSERT INTO sessionstore.keys (
    key_id, namespace, collection, id, revision, commit_time, present, summarized, started_at, kept_from
)
SELECT k.key_id, k.namespace, k.collection, k.id, 0, now(), false, false, 0, 0
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS k (key_id, namespace, collection, id)
ORDER BY k.namespace, k.collection, k.id
ON CONFLICT (namespace, collection, id) DO NOTHING
