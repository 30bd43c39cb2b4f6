// Values become text here, and text becomes nodes; nothing that came from outside is ever parsed as HTML.
const known = JSON.parse(document.getElementById("known").textContent);
const UNKNOWN = "–";
const DAY = 86400;
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const CONDITIONS = { 2: "like new", 3: "very good", 4: "good", 5: "acceptable" };

/** Return an element; children are elements, texts, or null for nothing. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

/** Return a text as HTML that shows it: for the table's search, which decodes entities by parsing. */
function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}

/** Return what is packed in an element: base64 of gzip of JSON. */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function isKnown(value) {
  return value !== null && value !== undefined;
}

const currencies = new Map();

function currencyOf(deal) {
  const code = known.markets[deal.domain_id]?.currency ?? "USD";
  if (!currencies.has(code)) {
    const format = new Intl.NumberFormat("en-US", { style: "currency", currency: code });
    currencies.set(code, { code, format, unit: 10 ** format.resolvedOptions().maximumFractionDigits });
  }
  return currencies.get(code);
}

/** Return an amount of a deal in units of its currency: dollars, not cents. */
function amount(cents, deal) {
  return isKnown(cents) ? cents / currencyOf(deal).unit : null;
}

function money(cents, deal) {
  return isKnown(cents) ? currencyOf(deal).format.format(amount(cents, deal)).replace("-", "−") : UNKNOWN;
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

function count(value) {
  return isKnown(value) ? whole.format(value) : UNKNOWN;
}

function percent(value, digits = 0) {
  return isKnown(value) ? `${value.toFixed(digits).replace("-", "−")} %` : UNKNOWN;
}

function fraction(value, digits = 0) {
  return percent(isKnown(value) ? 100 * value : null, digits);
}

function month(number) {
  return MONTHS[number - 1] ?? UNKNOWN;
}

function utc(seconds) {
  return isKnown(seconds) ? `${new Date(1000 * seconds).toISOString().slice(0, 16).replace("T", " ")} UTC` : UNKNOWN;
}

function date(seconds) {
  return utc(seconds).slice(0, 10);
}

/** Return how far a time is from now in words: 3 h ago, now, in 5 min. */
function age(seconds) {
  const passed = Date.now() / 1000 - seconds;
  const size = Math.abs(passed);
  if (size < 60) return "now";
  const words = size < 90 * 60 ? `${Math.round(size / 60)} min` : size < 2 * DAY ? `${Math.round(size / 3600)} h` : `${Math.round(size / DAY)} days`;
  return passed < 0 ? `in ${words}` : `${words} ago`;
}

/** Return a time as an element that says its age, and in full when pointed at. */
function since(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  return element("time", { class: "since", datetime: new Date(1000 * seconds).toISOString(), title: utc(seconds) }, age(seconds));
}

/** Return a link that leaves the page; its address is made of a host of ours and an escaped ASIN. */
function link(text, address) {
  return element("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, text);
}

function amazonLink(deal) {
  const host = known.markets[deal.domain_id]?.host;
  return host ? link("Amazon", `https://${host}/dp/${encodeURIComponent(deal.asin)}`) : null;
}

function keepaLink(deal) {
  return link("Keepa", `https://keepa.com/#!product/${deal.domain_id}-${encodeURIComponent(deal.asin)}`);
}

function anchorOf(deal) {
  return `#${deal.domain_id}-${encodeURIComponent(deal.asin)}`;
}
