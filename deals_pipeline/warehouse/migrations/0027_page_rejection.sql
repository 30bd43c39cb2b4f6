-- Why a deal is not worth a token by what its page shows, NULL where it is. Every later stage of screening contains it.
CREATE MACRO page_rejection(is_seen_lately, price, highest_average, rank_drops) AS
CASE
  WHEN NOT is_seen_lately THEN 'not seen for a week'
  WHEN coalesce(price, 0) <= 0 THEN 'no used price'
  WHEN highest_average IS NULL THEN 'no average'
  WHEN price >= highest_average THEN 'not below its averages'
  WHEN coalesce(rank_drops, 0) < 1 THEN 'does not sell'
  WHEN highest_average < 1200 THEN 'average below 12.00'
  WHEN (highest_average - price) * 5::BIGINT < price THEN 'gross ROI below 20 %'
END;
