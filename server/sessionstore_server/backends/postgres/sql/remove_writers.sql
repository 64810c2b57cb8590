WITH gone AS (
    DELETE FROM sessionstore.writers WHERE last_time <= now() - $1::float8 * interval '1 second' RETURNING writer
)
DELETE FROM sessionstore.feed f USING gone WHERE f.writer = gone.writer
