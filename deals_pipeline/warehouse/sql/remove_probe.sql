DELETE FROM write_probe;
