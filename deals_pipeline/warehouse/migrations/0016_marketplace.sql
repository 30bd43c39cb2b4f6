-- One row per marketplace of the settings: what selling there costs. Replaced as a whole before metrics are computed.
CREATE TABLE marketplace (
  domain_id TINYINT PRIMARY KEY, -- as on the wire
  name VARCHAR NOT NULL, -- as in deals.toml: US, GB, DE …
  prep_fee INTEGER NOT NULL, -- preparing one copy, cents
  inbound_shipping INTEGER NOT NULL, -- shipping one copy where the price does not contain it, cents
  purchase_tax_percent DECIMAL(5, 2) NOT NULL, -- tax on the price that is paid, percent; 0 with a resale certificate
  referral_fallback_percent DECIMAL(5, 2) NOT NULL, -- Amazon's share of the price where Keepa does not say, percent
  fba_fallback INTEGER NOT NULL, -- Amazon's charge for fulfilling one where Keepa does not say, cents
  markup_percent DECIMAL(5, 2) NOT NULL -- what is to be kept of the list price, percent
);
