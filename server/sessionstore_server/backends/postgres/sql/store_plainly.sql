ALTER TABLE sessionstore.records
    ALTER COLUMN content SET STORAGE EXTERNAL,
    SET (toast_tuple_target = 8160) -- what fits on a page stays in its row
