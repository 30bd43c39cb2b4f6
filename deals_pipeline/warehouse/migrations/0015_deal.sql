-- One row per marketplace and ASIN that any scan listed: its newest observation. All counts of deals are counts of these.
-- Gone is only what two complete scans of the selection that listed it last did not list: they begin 120 s after that
-- listing and after each other at least, because Keepa answers from a cache for that long.
CREATE VIEW deal AS
WITH
listed AS (
  SELECT 'recent' AS source, * FROM recent_deal
  UNION ALL BY NAME
  SELECT 'backfilled' AS source, * FROM backfilled_deal
),

sighting AS (
  SELECT
    domain_id,
    asin,
    arg_max(source, (last_update, observed_at, landed_file)) AS source,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen,
    nullif(max((last_seen, coalesce(last_seen_scan, '')))[2], '') AS last_seen_scan
  FROM listed
  GROUP BY domain_id, asin
),

put_aside AS (
  SELECT domain_id, item_id AS asin, max(observed_at) AS last_quarantined
  FROM quarantine
  WHERE kind = 'deal page' AND item_id IS NOT NULL
  GROUP BY domain_id, item_id
),

last_listing AS (
  SELECT
    sighting.domain_id,
    sighting.asin,
    scan.selection_version,
    greatest(sighting.last_seen, put_aside.last_quarantined) + INTERVAL 120 SECONDS AS evidence_from
  FROM sighting
  JOIN scan ON scan.scan_id = sighting.last_seen_scan
  LEFT JOIN put_aside ON put_aside.domain_id = sighting.domain_id AND put_aside.asin = sighting.asin
),

complete_scan AS (
  SELECT selection_version, server_from, min(completed_at) AS completed_at
  FROM scan
  WHERE completed_at IS NOT NULL AND NOT is_truncated
  GROUP BY selection_version, server_from
),

absent_once AS (
  SELECT
    last_listing.domain_id,
    last_listing.asin,
    last_listing.selection_version,
    complete_scan.server_from + INTERVAL 120 SECONDS AS evidence_from
  FROM last_listing
  ASOF JOIN complete_scan
    ON last_listing.selection_version = complete_scan.selection_version
    AND last_listing.evidence_from <= complete_scan.server_from
),

absent_twice AS (
  SELECT absent_once.domain_id, absent_once.asin, complete_scan.completed_at AS gone_at
  FROM absent_once
  ASOF JOIN complete_scan
    ON absent_once.selection_version = complete_scan.selection_version
    AND absent_once.evidence_from <= complete_scan.server_from
)

SELECT
  listed.domain_id, -- marketplace, as on the wire
  listed.asin, -- Amazon's id of the product
  listed.title, -- as Keepa sent it: Unicode, may hold HTML
  listed.last_update, -- when a tracked value last moved, UTC
  listed.created_at, -- when the deal was found, UTC
  sighting.first_seen, -- Keepa's clock when it was first listed, UTC
  sighting.last_seen, -- Keepa's clock when it was last listed, UTC
  absent_twice.gone_at, -- Keepa's clock when it had been absent from two complete scans, UTC; NULL while it is listed
  listed.current[3] AS used_cents, -- lowest used price now, cents, without shipping; NULL no offer
  listed.average_day[3] AS used_average_day_cents, -- average of the last day, cents
  listed.average_week[3] AS used_average_week_cents, -- average of the last 7 days, cents
  listed.average_month[3] AS used_average_month_cents, -- average of the last 31 days, cents
  listed.average_quarter[3] AS used_average_quarter_cents, -- average of the last 90 days, cents
  listed.delta_quarter[3] AS used_drop_quarter_cents, -- average of the last 90 days minus used price now, cents
  listed.delta_percent_quarter[3] AS used_drop_quarter_percent, -- that drop in percent of the average
  listed.current_since[3] AS used_since, -- since when the used price is what it is, UTC
  listed.current[20] AS used_like_new_cents, -- price now, cents, shipping included; NULL no offer
  listed.current[21] AS used_very_good_cents, -- price now, cents, shipping included
  listed.current[22] AS used_good_cents, -- price now, cents, shipping included
  listed.current[23] AS used_acceptable_cents, -- price now, cents, shipping included
  listed.current[1] AS amazon_cents, -- Amazon's own price now, cents
  listed.average_quarter[1] AS amazon_average_quarter_cents, -- average of the last 90 days, cents
  listed.current[2] AS new_cents, -- lowest new price now, cents, without shipping
  listed.average_quarter[2] AS new_average_quarter_cents, -- average of the last 90 days, cents
  listed.current[11] AS new_fba_cents, -- lowest new price fulfilled by Amazon now, cents
  listed.current[8] AS new_fbm_cents, -- lowest new price fulfilled by its merchant now, cents, shipping included
  listed.current[19] AS buy_box_cents, -- buy box now, cents, shipping included
  listed.current[33] AS buy_box_used_cents, -- used buy box now, cents, shipping included
  listed.current[10] AS warehouse_cents, -- Amazon's warehouse deal now, cents
  listed.current[5] AS list_price_cents, -- publisher's or maker's price, cents
  listed.current[4] AS sales_rank, -- rank now, 1 sells best
  listed.average_quarter[4] AS sales_rank_average_quarter, -- average rank of the last 90 days
  listed.sales_rank_drops_30_days, -- improvements of the sales rank, count
  listed.sales_rank_drops_90_days, -- improvements of the sales rank, count
  listed.sales_rank_drops_180_days, -- improvements of the sales rank, count
  listed.sales_rank_drops_365_days, -- improvements of the sales rank, count
  listed.current[12] AS new_offers, -- new offers now, count
  listed.current[13] AS used_offers, -- used offers now, count
  listed.average_month[13] AS used_offers_average_month, -- average of the last 31 days, count
  listed.current[17] AS rating, -- tenths of a star
  listed.current[18] AS reviews, -- count
  listed.parent_asin, -- family of which it is a variation
  listed.root_category, -- Amazon's browse node
  listed.categories, -- Amazon's browse nodes
  listed.image, -- file name of the image
  listed.warehouse_condition, -- condition of the warehouse deal, 0 none, 2 like new to 5 acceptable
  listed.warehouse_comment, -- its seller's words
  listed.source, -- which table told it: recent or backfilled
  listed.observed_at, -- Keepa's clock at the answer that told it, UTC
  listed.landed_file, -- that answer
  listed.code_version, -- version of deals_pipeline that loaded it
  sighting.last_seen_scan -- scan that saw it last
FROM listed
JOIN sighting
  ON sighting.domain_id = listed.domain_id AND sighting.asin = listed.asin AND sighting.source = listed.source
LEFT JOIN absent_twice
  ON absent_twice.domain_id = listed.domain_id AND absent_twice.asin = listed.asin;
