UPDATE sessionstore.blobs SET stored_at = now() WHERE digest = $1 RETURNING digest
