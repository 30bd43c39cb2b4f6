SELECT table_name FROM filled_table;
