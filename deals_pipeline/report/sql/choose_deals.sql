-- One row per deal that the report shows, best first: all survivors of the screening, and of the rest what there is room
-- for. Worth buying are the survivors whose sales or live offers are known.
CREATE OR REPLACE TEMP TABLE report_deal AS
SELECT
  row_number() OVER (
    ORDER BY
      deal_metrics.screened = 'survives' DESC,
      deal_metrics.expected_profit DESC NULLS LAST,
      deal_metrics.gross_roi DESC NULLS LAST,
      deal_metrics.domain_id,
      deal_metrics.asin
  ) - 1 AS position,
  deal_metrics.domain_id,
  deal_metrics.asin,
  deal_metrics.screened = 'survives' AND deal_metrics.screened_stage <> 'page' AS is_worth_buying
FROM deal_metrics
JOIN deal ON deal.domain_id = deal_metrics.domain_id AND deal.asin = deal_metrics.asin
WHERE deal.gone_at IS NULL
QUALIFY position < $shown_max OR deal_metrics.screened = 'survives';
