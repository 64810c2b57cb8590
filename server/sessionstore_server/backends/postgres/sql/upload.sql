SELECT content_id, size FROM sessionstore.uploads WHERE digest = $1
