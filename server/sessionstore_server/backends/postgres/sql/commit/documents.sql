added_documents AS (
    INSERT INTO sessionstore.documents (key_id, name_id, since, name, content)
    SELECT w.key_id, d.name_id, w.revision, d.name, d.content
    FROM {rows} AS d (key_id, name_id, name, content)
    JOIN won w ON w.key_id = d.key_id
)
