-- Newest answer wins, whatever the order of loading.
MERGE INTO seller AS stored
USING arriving USING (domain_id, seller_id)
WHEN MATCHED AND (arriving.observed_at, arriving.landed_file) > (stored.observed_at, stored.landed_file)
  THEN UPDATE BY NAME
WHEN NOT MATCHED
  THEN INSERT BY NAME;
