// The table of deals: what its columns show, what they sort and search by, and the filters above it.
// Cells are elements: DataTables would parse a text as HTML.

/** Return the order of two numbers, of which an unknown one comes last whatever the direction. */
function ordered(one, other, direction) {
  if (!isKnown(one) || !isKnown(other)) return isKnown(other) - isKnown(one);
  return direction * (one - other);
}

DataTable.ext.type.order["known-asc"] = (one, other) => ordered(one, other, 1);
DataTable.ext.type.order["known-desc"] = (one, other) => ordered(one, other, -1);
DataTable.ext.errMode = "throw";

/** Return a column of numbers; `ascending` says that one wants to see the least first. */
function numbers(data, title, show, { classes = "", ascending = false, hint = "" } = {}) {
  return {
    data,
    title,
    type: "known",
    className: `number ${classes}`,
    orderSequence: ascending ? ["asc", "desc"] : ["desc", "asc"],
    searchable: false,
    hint,
    render: (value, purpose, deal) => (purpose === "display" ? element("span", {}, show(value, deal)) : value),
  };
}

function words(data, title, show, { classes = "" } = {}) {
  return {
    data,
    title,
    type: "string",
    className: classes,
    searchable: false,
    render: (_, purpose, deal) => (purpose === "display" ? element("span", {}, show(deal)) : escaped(show(deal).toLowerCase())),
  };
}

function titleCell(deal) {
  const details = [deal.marketplace, deal.asin, CONDITIONS[deal.offer_condition], deal.screened === "rejected" ? deal.screened_reason : null];
  return element("div", { class: "title" },
    element("a", { href: anchorOf(deal), dir: "auto", title: deal.title ?? "" }, deal.title ?? deal.asin),
    element("small", {}, details.filter(isKnown).join(" · ")),
    element("small", { class: "narrow" }, `${money(deal.price_now, deal)} → ${money(deal.list_price_estimate, deal)} · ${fraction(deal.sale_confidence)}`),
  );
}

function searched(deal) {
  const texts = [deal.title, deal.author, deal.asin, deal.seller_name, deal.marketplace];
  return escaped(texts.filter(isKnown).join(" "));
}

function profitCell(cents, deal) {
  return element("span", { class: cents < 0 ? "bad" : "" }, money(cents, deal));
}

const COLUMNS = [
  {
    data: "title",
    title: "Deal",
    type: "string",
    className: "deal",
    render: (value, purpose, deal) => (purpose === "display" ? titleCell(deal) : purpose === "filter" ? searched(deal) : escaped((value ?? "").toLowerCase())),
  },
  numbers("expected_profit", "Expected", (value, deal) => element("b", {}, profitCell(value, deal)), { hint: "profit × confidence" }),
  numbers("profit", "Profit", profitCell, { classes: "medium" }),
  numbers("roi", "ROI", (value) => fraction(value), { hint: "profit / all-in cost" }),
  numbers("price_now", "Buy at", (value, deal) => money(value, deal), { classes: "medium", ascending: true }),
  numbers("list_price_estimate", "List at", (value, deal) => money(value, deal), { classes: "medium" }),
  numbers("percent_below_average", "Below avg", (value) => percent(value), { classes: "wide", hint: "below the average of a year’s inferred sales" }),
  numbers("sale_confidence", "Confidence", (value) => fraction(value), { classes: "medium", hint: "inferred sales / drops of used offers" }),
  numbers("sales_365_days", "Sales/yr", (value) => count(value), { classes: "wide" }),
  numbers("sales_rank", "Rank", (value) => count(value), { classes: "wide", ascending: true }),
  words("price_source", "Price from", (deal) => sourceOf(deal), { classes: "wide" }),
  words("restriction_state", "May sell?", (deal) => restrictionOf(deal), { classes: "wide" }),
  numbers("last_update", "Changed", (value) => since(value), { classes: "wide" }),
];
const RANKED_BY = COLUMNS.findIndex(({ data }) => data === "expected_profit");

/** Return what the filters let through: a function of a deal. Of a number that is unknown nothing can be said: it is out. */
function filterOf(values) {
  const limit = (name) => (values[name].trim() === "" ? null : Number(values[name]));
  const tests = [];
  const atLeast = (name, valueOf) => {
    const least = limit(name);
    if (least !== null) tests.push((deal) => isKnown(valueOf(deal)) && valueOf(deal) >= least);
  };
  if (values.show === "worth") tests.push((deal) => deal.is_worth_buying);
  if (values.show === "survives") tests.push((deal) => deal.screened === "survives");
  if (values.marketplace) tests.push((deal) => deal.marketplace === values.marketplace);
  if (values.source) tests.push((deal) => deal.price_source === values.source);
  if (values.restriction) tests.push((deal) => restrictionOf(deal) === values.restriction);
  atLeast("profit", (deal) => amount(deal.profit, deal));
  atLeast("roi", (deal) => (isKnown(deal.roi) ? 100 * deal.roi : null));
  atLeast("below", (deal) => deal.percent_below_average);
  atLeast("confidence", (deal) => (isKnown(deal.sale_confidence) ? 100 * deal.sale_confidence : null));
  const worst = limit("rank");
  if (worst !== null) tests.push((deal) => isKnown(deal.sales_rank) && deal.sales_rank <= worst);
  return (deal) => tests.every((test) => test(deal));
}

function fillOptions(select, values) {
  for (const value of [...new Set(values)].sort()) select.append(element("option", { value }, value));
}

/** Make the table and connect it with its filters. */
function makeTable(deals, form) {
  const table = new DataTable("#deals", {
    data: deals,
    columns: COLUMNS.map(({ hint, ...column }) => column),
    order: [[RANKED_BY, "desc"]],
    autoWidth: false,
    pageLength: 50,
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: { paging: { buttons: 5 } } },
    language: { info: "_START_ to _END_ of _TOTAL_ deals", infoEmpty: "no deals", infoFiltered: "", emptyTable: "No deals yet.", zeroRecords: "No deal passes these filters." },
  });
  COLUMNS.forEach(({ hint }, index) => hint && table.column(index).header().setAttribute("title", hint));
  fillOptions(form.marketplace, deals.map((deal) => deal.marketplace).filter(isKnown));
  fillOptions(form.restriction, deals.map(restrictionOf));
  COLUMNS.forEach(({ title }, index) => form.sort.append(element("option", { value: index }, title)));
  form.sort.value = RANKED_BY;

  const apply = () => {
    const passes = filterOf(Object.fromEntries(new FormData(form)));
    table.search.fixed("filters", (_, deal) => passes(deal));
    table.search(form.search.value).draw();
    const active = [...form.querySelectorAll(".more [name]")].filter(({ name, value }) => name !== "sort" && value !== "").length;
    document.getElementById("active").textContent = active ? ` (${active})` : "";
  };
  form.addEventListener("input", ({ target }) => {
    if (target.name === "sort") table.order([[Number(target.value), COLUMNS[target.value].orderSequence?.[0] ?? "asc"]]).draw();
    else apply();
  });
  form.addEventListener("reset", () => setTimeout(() => {
    form.sort.value = RANKED_BY;
    apply();
  }));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
  return table;
}
