-- One row per product whose sales are to be inferred: its answer is newer than they are, or an older program did it.
SELECT product.domain_id, product.asin, product.observed_at AS as_of, product.landed_file
FROM product
LEFT JOIN product_sales AS known ON known.domain_id = product.domain_id AND known.asin = product.asin
WHERE
  known.asin IS NULL
  OR known.landed_file != product.landed_file
  OR known.code_version != $code_version
ORDER BY product.domain_id, product.asin;
