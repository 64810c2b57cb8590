-- Only those that nobody wrote to meanwhile. A row at revision 0 is of a key that was never made.
WITH gone AS (
    DELETE FROM sessionstore.keys
    WHERE key_id = ANY ($1::uuid[]) AND NOT present AND commit_time <= now() - $2::float8 * interval '1 second'
    RETURNING key_id, revision
), commits AS (
    DELETE FROM sessionstore.commits c USING gone WHERE c.key_id = gone.key_id
)
SELECT count(*) FROM gone WHERE revision > 0
