-- One row: how much there is.
SELECT
  (SELECT count(*) FROM deal WHERE gone_at IS NULL) AS deals_listed,
  (SELECT count(*) FROM deal WHERE gone_at IS NOT NULL) AS deals_gone,
  (SELECT count(*) FROM deal ANTI JOIN recent_deal USING (domain_id, asin) WHERE gone_at IS NULL) AS deals_backfilled,
  (SELECT count(*) FROM product) AS products,
  (SELECT coalesce(sum(len(times)), 0) FROM price_history) AS points,
  (SELECT count(*) FROM scan WHERE completed_at IS NOT NULL AND kind = 'shard') AS shards_complete,
  (SELECT count(*) FROM quarantine) AS quarantined,
  (SELECT max(last_update) FROM deal) AS newest_update;
