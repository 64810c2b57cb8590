INSERT INTO sessionstore.meta (name, value) VALUES ('incarnation', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value
