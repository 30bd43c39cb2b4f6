SELECT version FROM migration;
