DELETE FROM sessionstore.blob_references
WHERE key_id = ANY ($1::uuid[]) AND until IS NOT NULL
RETURNING digest
