// Charts: Altair described them, the page adds data, width and the colours of its theme.
const [AMAZON, USED, RANK, USED_COUNT] = [0, 2, 3, 12];
const AXIS_WIDTH = 84;
const SERIES = ["series-1", "series-2", "series-3", "series-4", "series-5", "series-6"];
const drawn = new Map();

const probe = document.body.appendChild(element("span", { hidden: "" }));

/** Return a colour of the page's style as the theme in use has it. */
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function themeOf(name) {
  const [faint, line] = ["faint", "line"].map(colour);
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: { labelColor: faint, titleColor: faint, titleFontWeight: "normal", gridColor: line, domainColor: line, tickColor: line, labelFontSize: 11, titleFontSize: 11 },
    range: { category: SERIES.map(colour) },
    line: { color: colour("series-1") },
    point: { color: colour(name === "deal" ? "sale" : "series-1") },
  };
}

/** Draw a chart into an element, and again whenever the theme or the width changes. */
async function draw(place, name, datasets) {
  drawn.set(place, { name, datasets, width: place.clientWidth });
  const spec = structuredClone(known.charts[name]);
  for (const view of spec.vconcat) view.width = Math.max(120, place.clientWidth - AXIS_WIDTH);
  if (name === "tokens") spec.vconcat[1].encoding.color.scale = { domain: tokenClasses() };
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config: themeOf(name), tooltip: { theme: "custom" } };
  await vegaEmbed(place, { ...spec, datasets: { ...spec.datasets, ...datasets } }, options);
  place.dataset.drawn = name;
}

function redraw() {
  for (const [place, { name, datasets }] of drawn) {
    if (!place.isConnected) drawn.delete(place);
    else if (place.clientWidth) draw(place, name, datasets);
  }
}

function redrawWider() {
  for (const [place, { width }] of drawn) if (place.isConnected && place.clientWidth && place.clientWidth !== width) return redraw();
}

/** Return what the colours and marks of a chart mean. */
function key(names, ...marks) {
  const entries = names.map((name, index) => [`▬ ${name}`, SERIES[index % SERIES.length]]).concat(marks.map((name) => [name, "sale"]));
  return element("p", { class: "key" }, entries.map(([name, kind]) => element("span", {}, element("i", { class: kind }, name.slice(0, 1)), name.slice(1))));
}

/** Return the numbers of which these are the differences. */
function summed(differences) {
  let sum = 0;
  return differences.map((step) => (step === null ? null : (sum += step)));
}

/**
 * Return the points of a series, which holds until the history was told; `tell` says a value in words. `others` are more
 * points, [day, value], of a series that was thinned.
 */
function points(history, kind, others, until, tell, scale = 1) {
  const [days, values] = (history.series[kind] ?? [[], []]).map(summed);
  const records = days.map((day, index) => [day, values[index]]);
  const found = [...others, ...records].sort(([one], [other]) => one - other).map(([day, value]) => (
    { time: day * DAY * 1000, value: value === null ? null : value / scale, date: date(day * DAY), text: tell(value) }
  ));
  const last = found.at(-1);
  return last ? [...found, { ...last, time: Math.max(last.time, until * 1000) }] : [];
}

function dropsOf({ drops }) {
  const days = summed(drops.day);
  return days.map((day, index) => ({ ...Object.fromEntries(Object.entries(drops).map(([name, values]) => [name, values[index]])), day }));
}

function dealDatasets(deal, history) {
  const drops = dropsOf(history);
  const { unit } = currencyOf(deal);
  const until = deal.history_observed_at;
  const inMoney = (cents) => money(cents, deal);
  const named = (series) => (point) => ({ ...point, series });
  const levels = [["Buy at", deal.price_now], ["List at", deal.list_price_estimate]];
  const sales = drops.filter((drop) => drop.confirmed_by !== null);
  const paid = sales.filter((drop) => isKnown(drop.sale_price)).map((drop) => [drop.day, drop.sale_price]);
  const left = drops.map((drop) => [drop.day, drop.used_offers_after]);
  const told = (drop) => ({
    time: drop.day * DAY * 1000,
    date: date(drop.day * DAY),
    offers: `used offers ${drop.used_offers_before} → ${drop.used_offers_after}`,
    kind: drop.confirmed_by === null ? "no sale" : "sale",
  });
  return {
    prices: [
      ...points(history, USED, paid, until, inMoney, unit).map(named("Used price")),
      ...points(history, AMAZON, [], until, inMoney, unit).map(named("Amazon")),
    ],
    levels: levels.filter(([, cents]) => isKnown(cents)).map(([series, cents]) => ({ series, value: cents / unit, text: money(cents, deal) })),
    sales: sales.filter((drop) => isKnown(drop.sale_price)).map((drop) => ({
      ...told(drop),
      value: drop.sale_price / unit,
      kind: drop.is_sane ? "sale" : "outlier",
      price: money(drop.sale_price, deal),
      "confirmed by": drop.confirmed_by,
    })),
    ranks: points(history, RANK, [], until, count),
    counts: points(history, USED_COUNT, left, until, count),
    drops: drops.map((drop) => ({ ...told(drop), value: drop.used_offers_after })),
  };
}

function tokenClasses() {
  return [...new Set(known.hours.flatMap(({ spent }) => Object.keys(spent).filter((name) => spent[name] > 0)))];
}

function tokenDatasets() {
  const classes = tokenClasses();
  const hour = (start) => ({ time: start * 1000, until: (start + 3600) * 1000, hour: utc(start) });
  return {
    balance: known.hours.filter(({ balance }) => isKnown(balance)).map(({ start, balance }) => ({ ...hour(start), tokens: balance })),
    spent: known.hours.flatMap(({ start, spent }) =>
      classes.map((name, rank) => ({ ...hour(start), class: name, tokens: Math.max(0, spent[name] ?? 0), rank })),
    ),
  };
}
