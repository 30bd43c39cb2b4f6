-- One row per product whose sales are to be inferred: its answer is newer than they are, an older program did it, or
-- the drops that they come from were deleted.
SELECT product.domain_id, product.asin, product.observed_at AS as_of, product.landed_file
FROM product
LEFT JOIN product_sales AS known ON known.domain_id = product.domain_id AND known.asin = product.asin
WHERE
  known.asin IS NULL
  OR known.landed_file != product.landed_file
  OR known.code_version != $code_version
  OR (
    known.offer_drops > 0
    AND NOT EXISTS (
      FROM offer_drop
      WHERE offer_drop.domain_id = product.domain_id AND offer_drop.asin = product.asin
    )
  )
ORDER BY product.domain_id, product.asin;
