FROM deal ORDER BY last_update DESC, domain_id, asin;
