-- One row per table or view: its name, what a row is, and the text of a view.
SELECT table_name AS name, comment, NULL AS view
FROM duckdb_tables()
WHERE schema_name = 'main'
UNION ALL
SELECT view_name AS name, comment, sql AS view
FROM duckdb_views()
WHERE schema_name = 'main' AND NOT internal
ORDER BY name;
