SELECT FROM sessionstore.keys WHERE key_id = ANY ($1::uuid[]) ORDER BY key_id FOR UPDATE
