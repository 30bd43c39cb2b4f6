-- One row: when the first answer came, when the last that brought something (an empty list is something, a list of which
-- all was put aside is not), and how many deals, products and sellers came today.
SELECT
  min(received_at) AS first_answer_at,
  max(received_at) FILTER (
    WHERE outcome IN ('page', 'products', 'sellers') AND (items > 0 OR quarantined = 0)
  ) AS brought_at,
  coalesce(sum(items) FILTER (WHERE received_at >= $today), 0)::BIGINT AS rows_today
FROM landed_file;
