-- The answer is loaded: what follows in the transaction is part of it.
INSERT INTO landed_file BY NAME FROM arriving;
