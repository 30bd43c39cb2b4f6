-- One row: how many deals survive, and of how many the live offers hold and are not old.
SELECT count(*) AS survivors, count(*) FILTER (WHERE offers_hold_from > $now - to_minutes($offers_minutes)) AS fresh
FROM promising_deal
WHERE survives;
