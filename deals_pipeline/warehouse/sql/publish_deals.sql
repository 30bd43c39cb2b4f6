-- One row per deal, newest change first, with what was computed of it; that is NULL for deals that came since.
SELECT deal.*, deal_metrics.* EXCLUDE (domain_id, asin, code_version)
FROM deal
LEFT JOIN deal_metrics ON deal_metrics.domain_id = deal.domain_id AND deal_metrics.asin = deal.asin
ORDER BY deal.last_update DESC, deal.domain_id, deal.asin;
