-- The scan as its stored pages tell it: a function of them alone, whatever their order.
MERGE INTO scan AS stored
USING (
  WITH
  page_once AS (
    SELECT *
    FROM scan_page
    WHERE scan_id = (SELECT scan_id FROM arriving)
    QUALIFY row_number() OVER (PARTITION BY page ORDER BY observed_at DESC, landed_file DESC) = 1
  ),

  contiguous AS (
    SELECT
      *,
      lag(last_sort_value) OVER (ORDER BY page) AS sort_value_before
    FROM page_once
    QUALIFY page = row_number() OVER (ORDER BY page) - 1
  ),

  until_last AS (
    SELECT *
    FROM contiguous
    WHERE page <= coalesce((SELECT min(page) FROM contiguous WHERE is_last), page)
  ),

  stored AS (
    SELECT
      count(*) AS pages,
      min(observed_at) AS server_from,
      max(observed_at) AS server_until
    FROM page_once
  ),

  read AS (
    SELECT
      count(*) AS next_page,
      max(observed_at) FILTER (WHERE is_last) AS completed_at,
      coalesce(bool_or(is_last AND page * 150 + deals >= 10000), false) AS is_truncated,
      coalesce(bool_and(is_in_order AND coalesce(sort_value_before <= first_sort_value, true)), true) AS is_in_order,
      coalesce(sum(deals), 0) AS deals,
      coalesce(sum(quarantined), 0) AS quarantined,
      coalesce(sum(duplicates), 0) AS duplicates
    FROM until_last
  )

  SELECT arriving.*, stored.*, read.*
  FROM arriving, stored, read
) AS told
  USING (scan_id)
WHEN MATCHED
  THEN UPDATE BY NAME
WHEN NOT MATCHED
  THEN INSERT BY NAME;
