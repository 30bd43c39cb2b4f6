-- One row per deal, marketplace and ASIN: whether it is worth a token by what its page shows, which costs nothing.
-- What no page has shown for a week is not: its selection is not watched any more, or it was the backfill's. A sighting
-- that is days ahead of when it came is an error of Keepa's clock, and makes nothing old.
CREATE VIEW page_screening AS
WITH
newest AS (
  SELECT
    least(
      greatest((SELECT max(last_seen) FROM recent_deal), (SELECT max(last_seen) FROM backfilled_deal)),
      (SELECT max(received_at) FROM landed_file) + INTERVAL 1 DAY
    ) AS sighting
)

SELECT
  domain_id, -- marketplace, as on the wire
  asin, -- Amazon's id of the product
  used_cents, -- lowest used price now, cents, without shipping; NULL no offer
  used_since, -- since when the used price is what it is, UTC
  last_update, -- when a tracked value last moved, UTC
  observed_at, -- Keepa's clock at the answer that told it, UTC
  first_seen, -- Keepa's clock when it was first listed, UTC
  last_seen >= newest.sighting - INTERVAL 7 DAYS AS is_seen_lately, -- reckoned from the newest sighting of any deal
  gone_at, -- Keepa's clock when it had been absent from two complete scans, UTC; NULL while it is listed
  sales_rank_drops_365_days, -- improvements of the sales rank, count
  nullif(
    greatest(
      coalesce(used_average_day_cents, 0),
      coalesce(used_average_week_cents, 0),
      coalesce(used_average_month_cents, 0),
      coalesce(used_average_quarter_cents, 0)
    ),
    0
  ) AS highest_average, -- highest of the used averages of day, week, month and quarter, cents
  page_rejection(
    is_seen_lately,
    used_cents,
    highest_average,
    sales_rank_drops_365_days
  ) AS rejected_because -- NULL where it is worth it
FROM deal
CROSS JOIN newest;
