-- One row per deal whose live offers are to be bought, best first, and of how many; `asked_at` is NULL for one whose
-- offers never were. What its offers rejected comes last. Marketplaces take turns: amounts in two currencies do not
-- compare.
SELECT domain_id, asin, asked_at, used_since, count(*) OVER () AS pending
FROM promising_deal
WHERE
  (offers_hold_from IS NULL OR offers_hold_from <= $now - to_minutes($offers_minutes))
  AND (retry_at IS NULL OR retry_at <= $now)
ORDER BY
  survives DESC,
  row_number() OVER (PARTITION BY domain_id, survives ORDER BY expected_profit DESC NULLS LAST, asin),
  domain_id
LIMIT $limit;
