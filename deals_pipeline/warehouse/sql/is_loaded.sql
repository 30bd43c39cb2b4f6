SELECT count(*) > 0 FROM landed_file WHERE landed_file = $landed_file;
