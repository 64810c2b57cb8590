SELECT digest, content_id, size FROM sessionstore.blobs WHERE digest = ANY ($1::text[])
