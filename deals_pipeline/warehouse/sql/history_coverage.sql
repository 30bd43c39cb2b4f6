-- One row: which share of the listed deals that their page does not reject has a history; NULL where there is none.
SELECT count(product.asin) / nullif(count(*), 0)
FROM page_screening AS page
LEFT JOIN product ON product.domain_id = page.domain_id AND product.asin = page.asin
WHERE page.gone_at IS NULL AND page.rejected_because IS NULL;
