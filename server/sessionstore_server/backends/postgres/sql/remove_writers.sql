WITH gone AS (
    DELETE FROM sessionstore.writers WHERE last_time <= now() - make_interval(secs => $1::float8) RETURNING writer
)
DELETE FROM sessionstore.feed f USING gone WHERE f.writer = gone.writer
