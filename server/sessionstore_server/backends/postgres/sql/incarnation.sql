SELECT value FROM sessionstore.meta WHERE name = 'incarnation'
