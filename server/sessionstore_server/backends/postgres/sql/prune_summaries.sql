DELETE FROM sessionstore.summaries s USING sessionstore.keys k
WHERE k.key_id = ANY ($1::uuid[]) AND s.key_id = k.key_id AND NOT k.summarized
