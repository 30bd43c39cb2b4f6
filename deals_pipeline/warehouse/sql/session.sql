-- Times are shown in UTC wherever this runs.
SET TimeZone = 'UTC';
