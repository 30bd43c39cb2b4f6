-- One row per marketplace and ASIN whose product was bought: its newest answer.
CREATE TABLE product (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  product_type TINYINT NOT NULL, -- 0 standard, 1 downloadable, 2 e-book; Keepa has no prices for the others
  title VARCHAR, -- as Keepa sent it: Unicode, may hold HTML
  parent_asin VARCHAR, -- family of which it is a variation
  root_category BIGINT NOT NULL, -- Amazon's browse node, 0 unknown
  categories BIGINT[], -- Amazon's browse nodes
  manufacturer VARCHAR, -- its name
  brand VARCHAR, -- its name
  author VARCHAR, -- of a book
  binding VARCHAR, -- of a book, Amazon's word
  number_of_pages INTEGER, -- of a book
  publication_date INTEGER, -- of a book, YYYYMMDD, YYYYMM or YYYY
  package_weight INTEGER, -- grams
  tracking_since TIMESTAMPTZ NOT NULL, -- since when Keepa keeps its history, UTC
  last_update TIMESTAMPTZ NOT NULL, -- Keepa's last refresh, UTC
  availability_amazon INTEGER, -- Keepa's code of Amazon's own offer; NULL when Amazon has none
  pick_and_pack_fee INTEGER, -- Amazon's charge for fulfilling one, cents; NULL unknown
  referral_fee_percentage DOUBLE, -- Amazon's share of the price, percent; NULL unknown
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  PRIMARY KEY (domain_id, asin)
);
