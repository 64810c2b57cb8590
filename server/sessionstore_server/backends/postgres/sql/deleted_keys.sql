SELECT key_id FROM sessionstore.keys
WHERE NOT present AND commit_time <= now() - make_interval(secs => $1::float8)
LIMIT $2
