INSERT INTO sessionstore.meta (name, value) VALUES ('incarnation', $1) ON CONFLICT (name) DO NOTHING
