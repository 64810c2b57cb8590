-- Chunks behind the last position up to which any log of any key has their segment go; those that reach beyond it are
-- returned, to be shortened.
WITH reached AS MATERIALIZED (
    SELECT t.segment_id, coalesce(
        (
            SELECT max(coalesce(u.stop, 9223372036854775807))
            FROM sessionstore.segments s
            JOIN sessionstore.logs l ON l.key_id = s.key_id
            CROSS JOIN LATERAL unnest(l.segments, l.stops) AS u (segment_id, stop)
            WHERE s.segment_id = t.segment_id AND u.segment_id = t.segment_id
        ),
        0
    ) AS stop
    FROM unnest($1::uuid[]) AS t (segment_id)
), gone AS (
    DELETE FROM sessionstore.records r USING reached
    WHERE r.segment_id = reached.segment_id AND r.position >= reached.stop
)
SELECT r.segment_id, r.position, r.stop, r.content, reached.stop AS kept
FROM sessionstore.records r
JOIN reached ON reached.segment_id = r.segment_id AND r.position < reached.stop AND r.stop > reached.stop
