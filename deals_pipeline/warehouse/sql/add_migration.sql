-- That of a table which was deleted and made again is there.
INSERT OR IGNORE INTO migration (version, name, code_version) VALUES ($version, $name, $code_version);
