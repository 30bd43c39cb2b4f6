INSERT INTO migration (version, name, code_version) VALUES ($version, $name, $code_version);
