SELECT version, name, code_version FROM migration;
