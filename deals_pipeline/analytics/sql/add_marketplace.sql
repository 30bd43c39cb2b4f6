INSERT INTO marketplace BY NAME
SELECT
  $domain_id AS domain_id,
  $name AS name,
  $prep_fee AS prep_fee,
  $inbound_shipping AS inbound_shipping,
  $purchase_tax_percent AS purchase_tax_percent,
  $referral_fallback_percent AS referral_fallback_percent,
  $fba_fallback AS fba_fallback,
  $markup_percent AS markup_percent;
