SELECT landed_file FROM landed_file;
