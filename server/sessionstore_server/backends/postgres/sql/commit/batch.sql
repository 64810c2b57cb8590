-- All commits of a batch in one statement, which has those parts for which there are rows. A commit wins if its key is
-- still at the revision before, and the keys that guard it are at theirs. Everything else follows from who won.
WITH batch AS (
    SELECT * FROM {rows} AS b (
        key_id, revision, present, summarized, started_at, kept_from, guards,
        sequence, token, request_id, digest, existed
    )
)
