-- One row per price type: the index that all lists share, and its unit.
CREATE TABLE price_type (
  price_type TINYINT PRIMARY KEY, -- index on the wire; lists of deals and statistics have it at this + 1
  name VARCHAR NOT NULL, -- Keepa's name
  measure VARCHAR NOT NULL, -- unit: money is cents, rating tenths of a star
  with_shipping BOOLEAN NOT NULL -- whether a history has shipping prices too
);

INSERT INTO price_type VALUES
  (0, 'AMAZON', 'money', false),
  (1, 'NEW', 'money', false),
  (2, 'USED', 'money', false),
  (3, 'SALES', 'rank', false),
  (4, 'LISTPRICE', 'money', false),
  (5, 'COLLECTIBLE', 'money', false),
  (6, 'REFURBISHED', 'money', false),
  (7, 'NEW_FBM_SHIPPING', 'money', true),
  (8, 'LIGHTNING_DEAL', 'money', false),
  (9, 'WAREHOUSE', 'money', false),
  (10, 'NEW_FBA', 'money', false),
  (11, 'COUNT_NEW', 'count', false),
  (12, 'COUNT_USED', 'count', false),
  (13, 'COUNT_REFURBISHED', 'count', false),
  (14, 'COUNT_COLLECTIBLE', 'count', false),
  (15, 'EXTRA_INFO_UPDATES', 'count', false),
  (16, 'RATING', 'rating', false),
  (17, 'COUNT_REVIEWS', 'count', false),
  (18, 'BUY_BOX_SHIPPING', 'money', true),
  (19, 'USED_NEW_SHIPPING', 'money', true),
  (20, 'USED_VERY_GOOD_SHIPPING', 'money', true),
  (21, 'USED_GOOD_SHIPPING', 'money', true),
  (22, 'USED_ACCEPTABLE_SHIPPING', 'money', true),
  (23, 'COLLECTIBLE_NEW_SHIPPING', 'money', true),
  (24, 'COLLECTIBLE_VERY_GOOD_SHIPPING', 'money', true),
  (25, 'COLLECTIBLE_GOOD_SHIPPING', 'money', true),
  (26, 'COLLECTIBLE_ACCEPTABLE_SHIPPING', 'money', true),
  (27, 'REFURBISHED_SHIPPING', 'money', true),
  (28, 'EBAY_NEW_SHIPPING', 'money', true),
  (29, 'EBAY_USED_SHIPPING', 'money', true),
  (30, 'TRADE_IN', 'money', false),
  (31, 'RENT', 'money', false),
  (32, 'BUY_BOX_USED_SHIPPING', 'money', true),
  (33, 'PRIME_EXCL', 'money', false),
  (34, 'COUNT_NEW_FBA', 'count', false),
  (35, 'COUNT_NEW_FBM', 'count', false);
