-- Where the answer is loaded anew, the row is there.
INSERT OR REPLACE INTO scan_page BY NAME FROM arriving;
