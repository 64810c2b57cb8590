UPDATE sessionstore.records SET stop = $3, content = $4 WHERE segment_id = $1 AND position = $2
