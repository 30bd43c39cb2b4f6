INSERT INTO quarantine BY NAME FROM arriving;
