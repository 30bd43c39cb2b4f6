-- One row: how many deals were first listed since a time and are worth a history by their page.
SELECT count(*)
FROM page_screening
WHERE first_seen > $since AND rejected_because IS NULL;
