won AS (
    UPDATE sessionstore.keys k
    SET revision = b.revision, commit_time = greatest(now(), {time}), present = b.present,
        summarized = b.summarized, started_at = b.started_at, kept_from = b.kept_from
    FROM {admitted} b
    WHERE k.key_id = b.key_id AND k.revision = b.revision - 1
    RETURNING k.key_id, k.namespace, k.collection, k.id, k.revision, k.commit_time, k.present
), added_commits AS (
    INSERT INTO sessionstore.commits (key_id, revision, commit_time, token, request_id, digest, existed)
    SELECT w.key_id, w.revision, w.commit_time, b.token, b.request_id, b.digest, b.existed
    FROM won w JOIN batch b ON b.key_id = w.key_id
), told AS (
    INSERT INTO sessionstore.feed (writer, sequence, namespace, collection, id, revision, commit_time, deleted)
    SELECT {writer}, b.sequence, w.namespace, w.collection, w.id, w.revision, w.commit_time, NOT w.present
    FROM won w JOIN batch b ON b.key_id = w.key_id
), counted AS (
    INSERT INTO sessionstore.writers (writer, first, last, last_time)
    VALUES ({writer}, 1, {last}, greatest(now(), {time}))
    ON CONFLICT (writer) DO UPDATE SET last = excluded.last, last_time = excluded.last_time
)
