-- One row per deal, the largest drops first: of those that are listed, sell, and have a used price.
SELECT
  asin,
  title,
  used_cents,
  used_average_quarter_cents,
  used_drop_quarter_percent,
  sales_rank_drops_30_days
FROM deal
WHERE gone_at IS NULL AND used_cents IS NOT NULL AND sales_rank_drops_30_days > 0
ORDER BY used_drop_quarter_cents DESC NULLS LAST, domain_id, asin
LIMIT $limit;
