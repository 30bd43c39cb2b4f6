INSERT INTO write_probe VALUES ($code_version);
