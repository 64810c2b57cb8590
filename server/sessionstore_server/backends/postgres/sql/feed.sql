-- Of each writer the entries behind a sequence, 0 where none is known. Rows without an entry tell of the writer.
SELECT now() AS at, w.writer, w.first, w.last, e.sequence, e.id, e.revision, e.commit_time, e.deleted
FROM (SELECT) AS one
LEFT JOIN sessionstore.writers w ON true
LEFT JOIN unnest($3::uuid[], $4::bigint[]) AS known (writer, sequence) ON known.writer = w.writer
LEFT JOIN LATERAL (
    SELECT f.* FROM sessionstore.feed f
    WHERE f.namespace = $1 AND f.collection = $2 AND f.writer = w.writer AND f.sequence > coalesce(known.sequence, 0)
    ORDER BY f.sequence LIMIT $5
) e ON true
ORDER BY e.commit_time, w.writer, e.sequence
