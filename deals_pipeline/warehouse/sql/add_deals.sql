-- The arriving deals that are to stand: what they outdo is gone by now.
INSERT INTO target_table BY NAME
SELECT * EXCLUDE (is_new, is_updated, is_newest)
FROM arriving
WHERE is_newest;
