// Nodes, numbers as text, and cells of the data. Every text enters the page as a text node, so that names are never
// read as markup.
const data = JSON.parse(document.getElementById("leaderboard-data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const DASH = "—";

function put(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}
const h = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);
const button = (label, press, attributes) => h("button", { type: "button", class: "quiet", ...attributes, on: { click: press } }, label);
const sideways = (label, ...children) => h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, children);
const choice = (label, options, chosen, change) => h("label", { class: "pick" }, `${label} `,
  h("select", { on: { change: (event) => change(event.target.value) } },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));

const minus = (text) => text.replace("-", "−");
const num = (x, digits = 3) => (x === null || x === undefined ? DASH : minus(x.toFixed(digits)));
const span = (low, high) => (low === null || high === null ? "no interval" : `${num(low)}\u2009–\u2009${num(high)}`);
const pval = (p, sign = "") => (p === null ? `${sign}${DASH}` : p < 0.001 ? "< 0.001" : `${sign}${num(p)}`);
const count = (n) => {
  if (n === null || n === undefined) return DASH;
  if (Math.abs(n) < 1e3) return String(+n.toPrecision(4));
  if (n < 1e6) return `${(n / 1e3).toPrecision(3)} k`;
  return n < 1e9 ? `${(n / 1e6).toPrecision(3)} M` : `${(n / 1e9).toPrecision(3)} G`;
};
const ends = (pair) => (pair === null ? null : num(pair[0]) === num(pair[1]) ? num(pair[0]) : `${num(pair[0])}–${num(pair[1])}`);
const broken = (text) => text.split(/(?<=[./])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));
const shortened = (text, n) => ([...text].length > n ? `${[...text].slice(0, n - 1).join("")}…` : text);
const pooled = (value) => (value !== null && typeof value === "object" && "pooled" in value ? data.pool[value.pooled] : value);

// A field of a column: one value that all models share, or a list of one for each model; absent means null.
function field(column, name, i) {
  const found = column.cells[name];
  if (found !== undefined) return Array.isArray(found) ? found[i] : found;
  if (!name.startsWith("normalised")) return null;
  const of = { normalised: "value", normalised_low: "low", normalised_high: "high" }[name];
  const above = field(column, of, i);
  const ceiling = field(column, "ceiling", i);
  return above === null || ceiling === null ? null : above / ceiling;
}
const valueOf = (column, line) => field(column, "value", line.at);
const nameOf = (line) => `${line.model}@${line.revision}`;

function marks(item) {
  return [
    item.simulated ? h("span", { class: "mark" }, "SIMULATED") : null,
    item.uncommitted ? h("span", { class: "mark", title: "Made by code that is not a committed state" }, "uncommitted code") : null,
  ];
}

function describe(column, i) {
  const v = (name) => field(column, name, i);
  if (v("value") === null) return `Missing: ${v("reason")}`;
  const level = v("level") === null ? "" : ` (${+(100 * v("level")).toPrecision(4)} % interval)`;
  const ceiling = v("ceiling") === null
    ? `no ceiling${v("ceiling_reason") ? `: ${v("ceiling_reason")}` : ""}`
    : `ceiling ${num(v("ceiling"))}${v("ceiling_kind") ? ` (from ${v("ceiling_kind")})` : ""}`;
  return [
    `${num(v("value"))}, ${span(v("low"), v("high"))}${level}`,
    ceiling,
    v("normalised") === null ? null : `normalised ${num(v("normalised"))}, ${span(v("normalised_low"), v("normalised_high"))}`,
    `chance ${num(v("chance"))}`,
    v("z") === null ? null : `z = ${num(v("z"), 1)}, p ${pval(v("p"), "= ")}`,
    `${v("n_subjects")} ${v("n_subjects") === 1 ? "subject" : "subjects"}, ${v("n_stimuli")} stimuli, ${v("n_neuroids")} neuroids`,
  ].filter((line) => line !== null).join("\n");
}
