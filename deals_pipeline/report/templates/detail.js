// A deal in full: the chart of its history, and the reasoning in numbers.

/** Return a card of lines; a line is [name, value] or [name, value, note], and null is none. */
function card(title, ...lines) {
  const rows = lines.filter((line) => line !== null).map(([name, value, note = null]) =>
    element("tr", {}, element("th", {}, name, note === null ? null : element("small", {}, note)), element("td", {}, value)),
  );
  return element("section", { class: "card" }, element("h2", {}, title), element("table", { class: "figures" }, rows));
}

function tile(name, value, note = null) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value, note === null ? null : element("small", {}, note)));
}

function trend(value) {
  return { "-1": "falling", 0: "steady", 1: "rising" }[value] ?? UNKNOWN;
}

function yes(value) {
  return isKnown(value) ? (value ? "yes" : "no") : UNKNOWN;
}

function restrictionOf(deal) {
  return deal.restriction_state ?? "unknown";
}

function sourceOf(deal) {
  return { offer: "live offer", listing: "listing" }[deal.price_source] ?? UNKNOWN;
}

function offerLines(deal) {
  if (!isKnown(deal.offers_observed_at)) return [["Live offer", "not asked for yet"]];
  if (!isKnown(deal.offer_id)) return [["Live offer", deal.screened_stage === "offers" ? "none that can be bought" : "those known are not of the present price"]];
  const shipping = isKnown(deal.offer_shipping) ? money(deal.offer_shipping, deal) : deal.offer_is_fba ? "free, by Amazon" : UNKNOWN;
  const ratings = isKnown(deal.rating_percent) ? `${percent(deal.rating_percent)} of ${count(deal.rating_count)} ratings` : "no ratings known";
  return [
    ["Seller", deal.seller_name ?? deal.seller_id ?? UNKNOWN, ratings],
    ["Trust in the seller", fraction(deal.seller_trust), "lower bound of positive ratings"],
    ["Condition", CONDITIONS[deal.offer_condition] ?? UNKNOWN],
    ["Item", money(deal.offer_price, deal)],
    ["Its shipping", shipping, deal.offer_is_fba ? "fulfilled by Amazon" : "fulfilled by the seller"],
  ];
}

function estimateNote(deal) {
  return {
    none: "no sale was inferred",
    sparse: "median of one or two sales",
    flat: "median of all sales: no month has two",
    seasonal: `of the best month, ${month(deal.peak_month)}`,
    implausible: "above 1 500, not believed",
  }[deal.list_price_source] ?? "no history yet";
}

function plannedRefresh(deal) {
  if (!isKnown(deal.history_observed_at)) return UNKNOWN;
  return isKnown(deal.refresh_minutes) ? `every ${Math.round(deal.refresh_minutes / 60)} h, if it moves` : "none: tokens do not reach";
}

function outcome(deal) {
  return deal.screened === "survives" ? `survives by ${deal.screened_stage}` : `rejected by ${deal.screened_stage}: ${deal.screened_reason ?? UNKNOWN}`;
}

function reasoning(deal) {
  const by = (value) => money(value, deal);
  const minus = (value) => by(value ? -value : value);
  const estimated = deal.fees_estimated ? "Keepa does not say all: the settings’ fallback" : null;
  return element("div", { class: "cards" },
    card("Buy",
      ["Price now", by(deal.price_now), deal.price_source === "offer" ? "a live offer, shipping included" : "from the listing, shipping unknown"],
      ["Told", since(deal.price_observed_at)],
      ["Average of a year’s sales", by(deal.one_year_average)],
      ["Below that average", percent(deal.percent_below_average)],
      ["Highest average of the listing", by(deal.highest_average), "used price, of day to 90 days"],
      ["Gross ROI against that", fraction(deal.gross_roi)],
      ...offerLines(deal),
    ),
    card("Sell",
      ["List at", by(deal.list_price_estimate), estimateNote(deal)],
      ["Before the ceiling", by(deal.sale_price_estimate)],
      ["Ceiling", by(deal.list_price_ceiling), "90 % of Amazon’s lowest price"],
      ["Capped by it", yes(deal.list_price_capped)],
      ["Worst month", by(deal.expected_trough), isKnown(deal.trough_month) ? month(deal.trough_month) : null],
      ["Amazon’s own price", by(deal.amazon_cents)],
      ["Sales rank", count(deal.sales_rank), `${count(deal.sales_rank_drops_30_days)} drops in 30 days, ${count(deal.sales_rank_drops_365_days)} in a year`],
      ["Used price", trend(deal.price_trend), "over its last changes"],
      ["Used offers", trend(deal.offer_trend), `${count(deal.used_offers)} now, against the average of 30 days`],
    ),
    card("Costs and profit",
      ["List at", by(deal.list_price_estimate)],
      ["Price now", minus(deal.price_now)],
      ["Purchase tax", minus(deal.purchase_tax), percent(deal.purchase_tax_percent, 2)],
      ["Preparation", minus(deal.prep_fee)],
      ["Inbound shipping", minus(deal.inbound_shipping), deal.price_source === "offer" ? "in the price" : "not in the price"],
      ["Referral fee", minus(deal.referral_fee), isKnown(deal.referral_fee_percentage) ? percent(deal.referral_fee_percentage, 1) : estimated],
      ["FBA fee", minus(deal.fba_fee), isKnown(deal.pick_and_pack_fee) ? null : estimated],
      ["Profit", element("b", {}, by(deal.profit))],
      ["All-in cost", by(deal.all_in_cost)],
      ["Amazon’s fees", by(deal.amazon_fees), estimated],
      ["Return on the cost", fraction(deal.roi)],
      ["Margin of the list price", fraction(deal.margin)],
      ["Least list price", by(deal.minimum_list_price), isKnown(deal.markup_percent) ? `keeps ${percent(deal.markup_percent)} of it` : null],
    ),
    card("Does it sell?",
      ["Inferred sales", count(deal.sales), "in three years"],
      ["of drops of used offers", count(deal.offer_drops)],
      ["Confidence", fraction(deal.sale_confidence), "sales / drops"],
      ["Sales in the last year", count(deal.sales_365_days)],
      ["With a price that is no outlier", count(deal.sane_prices)],
      ["Expected profit", by(deal.expected_profit), "profit × confidence"],
    ),
    card("Screening",
      ["Outcome", outcome(deal)],
      ["By what was known", since(deal.screened_inputs_at)],
      ["Next try", since(deal.screened_next_try_at)],
      ["May I sell it?", restrictionOf(deal), restrictionOf(deal) === "unknown" ? "nobody has told: not the same as allowed" : null],
    ),
    card("Freshness",
      ["Deal found", since(deal.created_at)],
      ["Last change", since(deal.last_update)],
      ["Seen on a page", since(deal.last_seen)],
      ["History", isKnown(deal.history_observed_at) ? since(deal.history_observed_at) : "not bought yet"],
      ["Live offers", isKnown(deal.offers_observed_at) ? since(deal.offers_observed_at) : "not bought yet"],
      ["Planned refresh", plannedRefresh(deal)],
    ),
  );
}

async function historyOf(deal) {
  const pack = await unpacked(`packed-histories-${Math.floor(deal.position / known.histories_per_pack)}`);
  return pack[deal.position % known.histories_per_pack];
}

/** Show a deal in the dialog; `neighbour(1)` is the one after it, as the table stands. */
async function showDeal(dialog, deal, neighbour) {
  const step = (distance, sign, title) => {
    const other = neighbour(distance);
    return other ? element("a", { href: anchorOf(other), class: "button", title }, sign) : null;
  };
  const close = element("button", { type: "button", title: "Close", autofocus: "" }, "✕");
  close.addEventListener("click", () => dialog.close());
  const chart = element("div", { class: "chart" });
  const by = [deal.author, deal.binding, deal.marketplace, deal.asin].filter(isKnown).join(" · ");
  dialog.replaceChildren(
    element("header", {},
      element("div", {},
        element("h1", { dir: "auto" }, deal.title ?? deal.asin),
        element("p", { dir: "auto" }, by, " · ", amazonLink(deal), " · ", keepaLink(deal)),
      ),
      element("nav", {}, step(-1, "‹", "The deal before"), step(1, "›", "The next deal"), close),
    ),
    element("dl", { class: "tiles" },
      tile("Expected profit", money(deal.expected_profit, deal), "profit × confidence"),
      tile("Buy at", money(deal.price_now, deal), sourceOf(deal)),
      tile("List at", money(deal.list_price_estimate, deal), deal.list_price_capped ? "capped" : deal.list_price_source),
      tile("Profit", money(deal.profit, deal), `${fraction(deal.roi)} ROI`),
      tile("Confidence", fraction(deal.sale_confidence), `${count(deal.sales)} of ${count(deal.offer_drops)} drops`),
    ),
    chart,
    reasoning(deal),
    deal.condition_comment ? element("p", { class: "comment", dir: "auto" }, "The seller says: ", element("q", {}, deal.condition_comment)) : "",
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const history = await historyOf(deal);
  if (!chart.isConnected) return;
  if (history) {
    await draw(chart, "deal", dealDatasets(deal, history));
    chart.after(
      key(known.prices, "● inferred sale", "✚ its price is an outlier"),
      element("p", { class: "note" }, `Used offers: each dot is a drop, a pale one no sale. Of long histories the lowest, highest and last value in every ${known.span_days.toFixed(0)} days are shown.`),
    );
  }
  else chart.replaceWith(element("p", { class: "note" }, "Its price history has not been bought yet."));
}
