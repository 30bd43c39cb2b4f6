-- A text that a spreadsheet would take for a formula begins with an apostrophe instead.
CREATE OR REPLACE TEMP MACRO neutral_text(words) AS
  CASE WHEN regexp_matches(words, '^[=+@\t\r-]') THEN '''' || words ELSE words END;
