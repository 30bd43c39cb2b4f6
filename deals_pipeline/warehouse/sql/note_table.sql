INSERT INTO filled_table VALUES ($table_name);
