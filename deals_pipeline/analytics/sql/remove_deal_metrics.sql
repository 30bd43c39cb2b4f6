DELETE FROM deal_metrics;
