INSERT INTO target_table BY NAME FROM arriving
ON CONFLICT DO UPDATE SET
  times = times + excluded.times,
  first_missing = least(first_missing, excluded.first_missing),
  last_missing = greatest(last_missing, excluded.last_missing);
