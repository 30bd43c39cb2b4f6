-- One row: of the listed deals whose history is tracked, how many are planned to be bought again in every interval, how
-- many less often, and how many not at all. What the page alone rejects is not tracked.
WITH
tracked AS (
  SELECT deal_metrics.refresh_minutes
  FROM deal_metrics
  JOIN deal ON deal.domain_id = deal_metrics.domain_id AND deal.asin = deal_metrics.asin
  WHERE
    deal.gone_at IS NULL
    AND deal_metrics.history_observed_at IS NOT NULL
    AND NOT (deal_metrics.screened = 'rejected' AND deal_metrics.screened_stage = 'page')
)

SELECT
  count(*) FILTER (WHERE refresh_minutes <= $history_minutes) AS fresh,
  count(*) FILTER (WHERE refresh_minutes > $history_minutes) AS rarer,
  count(*) FILTER (WHERE refresh_minutes IS NULL) AS never
FROM tracked;
