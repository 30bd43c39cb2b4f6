-- One row: how many deals are listed, and how many of them the report shows.
SELECT
  (SELECT count(*) FROM deal WHERE gone_at IS NULL) AS listed,
  (SELECT count(*) FROM report_deal) AS shown,
  (SELECT count(*) FROM report_deal WHERE is_worth_buying) AS worth_buying;
