-- One row per seller to be bought, with the best survivor whose chosen offer is theirs, best first, marketplaces in
-- turns. What is known of a seller holds for a week; one who did not come, or was put aside, is not asked for again for
-- thirty days. An id that is none cannot be asked for.
WITH
put_aside AS (
  SELECT domain_id, item_id AS seller_id, max(observed_at) AS last_quarantined
  FROM quarantine
  WHERE kind = 'seller' AND item_id IS NOT NULL
  GROUP BY domain_id, item_id
),

offering AS (
  SELECT
    chosen_offer.domain_id,
    chosen_offer.seller_id,
    deal.asin,
    deal.asked_at,
    deal.expected_profit
  FROM promising_deal AS deal
  JOIN chosen_offer ON chosen_offer.domain_id = deal.domain_id AND chosen_offer.asin = deal.asin
  WHERE
    deal.survives
    AND deal.offers_hold_from IS NOT NULL
    AND regexp_full_match(chosen_offer.seller_id, '[A-Z0-9]{8,20}')
  QUALIFY row_number() OVER (
    PARTITION BY chosen_offer.domain_id, chosen_offer.seller_id
    ORDER BY deal.expected_profit DESC NULLS LAST, deal.asin
  ) = 1
)

SELECT offering.domain_id, offering.seller_id, offering.asin, offering.asked_at
FROM offering
LEFT JOIN seller ON seller.domain_id = offering.domain_id AND seller.seller_id = offering.seller_id
LEFT JOIN missing_seller
  ON missing_seller.domain_id = offering.domain_id AND missing_seller.seller_id = offering.seller_id
LEFT JOIN put_aside ON put_aside.domain_id = offering.domain_id AND put_aside.seller_id = offering.seller_id
WHERE
  (seller.observed_at IS NULL OR seller.observed_at <= $now - INTERVAL 7 DAYS)
  AND coalesce(
    greatest(missing_seller.last_missing, put_aside.last_quarantined) <= greatest(
      $now - INTERVAL 30 DAYS,
      seller.observed_at
    ),
    true
  )
ORDER BY
  row_number() OVER (
    PARTITION BY offering.domain_id
    ORDER BY offering.expected_profit DESC NULLS LAST, offering.asin
  ),
  offering.domain_id
LIMIT $limit;
