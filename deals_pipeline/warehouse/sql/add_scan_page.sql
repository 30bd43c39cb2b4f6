INSERT INTO scan_page BY NAME FROM arriving;
