-- One row per marketplace with histories: what differs as soon as one of them does.
SELECT
  domain_id,
  format('{} {:x}', count(*), bit_xor(hash(asin, price_type, landed_file, code_version))) AS histories
FROM price_history
GROUP BY domain_id
ORDER BY domain_id;
