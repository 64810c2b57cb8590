SELECT key_id FROM sessionstore.keys
WHERE NOT present AND commit_time <= now() - $1::float8 * interval '1 second'
LIMIT $2
