// What happens when the page opens.

/** Turn columns into deals that know their place in the report. */
function rowsOf(columns) {
  const names = Object.keys(columns);
  return (columns.asin ?? []).map((_, position) => Object.fromEntries([["position", position], ...names.map((name) => [name, columns[name][position]])]));
}

function tellAges() {
  for (const time of document.querySelectorAll(".age time")) {
    time.nextElementSibling?.classList.contains("told-age") || time.after(element("span", { class: "told-age" }));
    time.nextElementSibling.textContent = age(Date.parse(time.dateTime) / 1000);
  }
  for (const time of document.querySelectorAll("time.since")) time.textContent = age(Date.parse(time.dateTime) / 1000);
}

/** Keep a choice for the next report, where the browser lets a file do so. */
function remember(name, value) {
  try {
    localStorage.setItem(`deals_report_${name}`, value);
  } catch {
    // then it is chosen again
  }
}

function remembered(name) {
  try {
    return localStorage.getItem(`deals_report_${name}`);
  } catch {
    return null;
  }
}

const NARROW = 820;
const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

function setTheme(isDark) {
  root.dataset.theme = isDark ? "dark" : "light";
  redraw();
}

const form = document.getElementById("filters");
const dialog = document.getElementById("deal");
const tokensChart = document.getElementById("tokens-chart");
const state = document.getElementById("state");
const deals = rowsOf(await unpacked("packed-deals"));
const table = makeTable(deals, form);
const dealAt = new Map(deals.map((deal) => [anchorOf(deal), deal]));

/** Return the deal so many places after another one, as the table is filtered and sorted now. */
function neighbour(deal, distance) {
  const shown = table.rows({ search: "applied", order: "applied" }).data().toArray();
  const place = shown.indexOf(deal);
  return place < 0 ? undefined : shown[place + distance];
}

function followAnchor() {
  const deal = dealAt.get(location.hash);
  if (deal) showDeal(dialog, deal, (distance) => neighbour(deal, distance));
  else if (dialog.open) dialog.close();
}

dialog.addEventListener("close", () => {
  if (location.hash) history.replaceState(null, "", "#");
});
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
document.querySelector("#deals tbody").addEventListener("click", (event) => {
  if (event.target.closest("a")) return;
  const deal = table.row(event.target.closest("tr")).data();
  if (deal) location.hash = anchorOf(deal);
});
state.addEventListener("toggle", () => {
  if (innerWidth >= NARROW) remember("state", state.open ? "open" : "closed");
  if (state.open) draw(tokensChart, "tokens", tokenDatasets());
});
document.getElementById("theme").addEventListener("click", () => {
  setTheme(root.dataset.theme !== "dark");
  remember("theme", root.dataset.theme);
});
dark.addEventListener("change", () => setTheme(dark.matches));
addEventListener("hashchange", followAnchor);
addEventListener("resize", redrawWider);

setTheme(remembered("theme") ? remembered("theme") === "dark" : dark.matches);
tokensChart.after(key(tokenClasses()));
tellAges();
setInterval(tellAges, 60_000);
state.open = innerWidth >= NARROW && remembered("state") !== "closed";
followAnchor();
root.dataset.ready = Math.round(performance.now());
