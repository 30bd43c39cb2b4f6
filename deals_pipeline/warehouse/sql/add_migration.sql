-- That of what was deleted, or is of another version of the code, is there.
INSERT OR REPLACE INTO migration (version, name, code_version) VALUES ($version, $name, $code_version);
