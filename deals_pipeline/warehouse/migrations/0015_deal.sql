-- One row per marketplace and ASIN that any scan listed: its newest observation. All counts of deals are counts of these.
-- Gone is only what two complete scans of the selection that listed it last did not list: they begin 120 s after that
-- listing and after each other at least, because Keepa answers from a cache for that long.
CREATE VIEW deal AS
WITH
sighting AS (
  SELECT
    domain_id,
    asin,
    CASE
      WHEN backfilled.asin IS NULL THEN 'recent'
      WHEN recent.asin IS NULL THEN 'backfilled'
      WHEN
        (recent.last_update, recent.observed_at, recent.landed_file)
        > (backfilled.last_update, backfilled.observed_at, backfilled.landed_file)
        THEN 'recent'
      ELSE 'backfilled'
    END AS source,
    least(recent.first_seen, backfilled.first_seen) AS first_seen,
    greatest(recent.last_seen, backfilled.last_seen) AS last_seen,
    CASE
      WHEN backfilled.asin IS NULL THEN recent.last_seen_scan
      WHEN recent.asin IS NULL THEN backfilled.last_seen_scan
      WHEN
        (recent.last_seen, coalesce(recent.last_seen_scan, ''))
        > (backfilled.last_seen, coalesce(backfilled.last_seen_scan, ''))
        THEN recent.last_seen_scan
      ELSE backfilled.last_seen_scan
    END AS last_seen_scan
  FROM recent_deal AS recent
  FULL JOIN backfilled_deal AS backfilled USING (domain_id, asin)
),

put_aside AS (
  SELECT domain_id, item_id AS asin, max(observed_at) AS last_quarantined
  FROM quarantine
  WHERE kind = 'deal page' AND item_id IS NOT NULL
  GROUP BY domain_id, item_id
),

complete_scan AS NOT MATERIALIZED (
  SELECT selection_version, server_from, min(completed_at) AS completed_at
  FROM scan
  WHERE completed_at IS NOT NULL AND NOT is_truncated
  GROUP BY selection_version, server_from
),

absence AS (
  SELECT once.selection_version, once.server_from, twice.completed_at AS gone_at
  FROM complete_scan AS once
  ASOF JOIN complete_scan AS twice
    ON once.selection_version = twice.selection_version
    AND once.server_from + INTERVAL 120 SECONDS <= twice.server_from
),

listing AS (
  SELECT sighting.*, absence.gone_at
  FROM sighting
  LEFT JOIN scan ON scan.scan_id = sighting.last_seen_scan
  LEFT JOIN put_aside ON put_aside.domain_id = sighting.domain_id AND put_aside.asin = sighting.asin
  ASOF LEFT JOIN absence
    ON scan.selection_version = absence.selection_version
    AND greatest(sighting.last_seen, put_aside.last_quarantined) + INTERVAL 120 SECONDS <= absence.server_from
),

listed AS (
  SELECT 'recent' AS source, * FROM recent_deal
  UNION ALL BY NAME
  SELECT 'backfilled' AS source, * FROM backfilled_deal
)

SELECT
  listed.domain_id, -- marketplace, as on the wire
  listed.asin, -- Amazon's id of the product
  listed.title, -- as Keepa sent it: Unicode, may hold HTML
  listed.last_update, -- when a tracked value last moved, UTC
  listed.created_at, -- when the deal was found, UTC
  listing.first_seen, -- Keepa's clock when it was first listed, UTC
  listing.last_seen, -- Keepa's clock when it was last listed, UTC
  listing.gone_at, -- Keepa's clock when it had been absent from two complete scans, UTC; NULL while it is listed
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
  listing.last_seen_scan -- scan that saw it last
FROM listed
JOIN listing
  ON listing.domain_id = listed.domain_id
  AND listing.asin = listed.asin
  AND listing.source = listed.source;
