-- One row per product of a batch: its number there, and the answer that told its history.
CREATE OR REPLACE TEMP TABLE batch AS
SELECT row_number() OVER ()::INTEGER AS product, *
FROM arriving;
