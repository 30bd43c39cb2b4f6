-- Before a sign that a spreadsheet would take for the beginning of a formula stands an apostrophe: at the beginning of a
-- text, and after what some programs take for the end of a cell, whatever the quotes say.
CREATE OR REPLACE TEMP MACRO neutral_text(words) AS
  regexp_replace(
    regexp_replace(words, '((?:^|[;\t\r\n])[\s\x00]*)([=+@＝＋＠－-])', '\1''\2', 'g'),
    '^[\t\r\n]',
    '''\0'
  );
