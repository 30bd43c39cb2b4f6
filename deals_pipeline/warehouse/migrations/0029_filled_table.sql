-- One row per table that has had rows of answers: where such a table holds none any more, somebody deleted them.
CREATE TABLE filled_table (
  table_name VARCHAR PRIMARY KEY -- the table
);
