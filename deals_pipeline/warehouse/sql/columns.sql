-- One row per column of a table or view, in order.
SELECT column_name, data_type, comment, is_nullable
FROM duckdb_columns()
WHERE schema_name = 'main' AND table_name = $relation
ORDER BY column_index;
