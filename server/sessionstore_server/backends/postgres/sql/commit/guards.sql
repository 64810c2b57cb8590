-- The lock keeps the guarding keys as they are until this is committed.
guarded AS MATERIALIZED (
    SELECT g.key_id
    FROM {rows} AS g (key_id, guard_id, revision)
    JOIN sessionstore.keys k ON k.key_id = g.guard_id AND k.revision = g.revision
    FOR SHARE OF k
), admitted AS MATERIALIZED (
    SELECT b.* FROM batch b WHERE b.guards = (SELECT count(*) FROM guarded g WHERE g.key_id = b.key_id)
)
