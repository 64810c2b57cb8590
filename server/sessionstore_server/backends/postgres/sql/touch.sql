INSERT INTO sessionstore.meta (name, value) VALUES ('checks', 1)
ON CONFLICT (name) DO UPDATE SET value = meta.value + 1
