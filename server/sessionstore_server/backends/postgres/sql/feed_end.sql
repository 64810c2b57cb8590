SELECT now() AS at, w.writer, w.last
FROM (SELECT) AS one LEFT JOIN sessionstore.writers w ON true
