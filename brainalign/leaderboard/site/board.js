// The table of one section: sorting, filtering, groups of columns. Only rows in view are built, 100 until more are
// asked for, so that sorting stays quick for hundreds of models.
const FIRST_ROWS = 100;
const groupsOf = (section) => [...new Set(section.columns.map((c) => c.metric))];
const columnId = (column) => `${column.metric} ${column.roi}`;

function keysOf(section) {
  const keys = {
    rank: { label: "Rank", of: (l) => (l.rank ? l.at : null), first: "ascending" },
    model: { label: "Model", of: (l) => l.model.toLowerCase(), first: "ascending" },
    family: { label: "Family", of: (l) => (l.family === null ? null : l.family.toLowerCase()), first: "ascending" },
    size: { label: "Parameters", of: (l) => l.n_parameters, first: "descending" },
    coverage: { label: "Cells", of: (l) => l.covered[0], first: "descending" },
    aggregate: { label: "Aggregate", of: (l) => valueOf(section.aggregate, l), first: section.higher ? "descending" : "ascending" },
  };
  section.columns.forEach((c, i) => {
    keys[`c${i}`] = { label: columnId(c), of: (l) => valueOf(c, l), first: c.higher ? "descending" : "ascending" };
  });
  return keys;
}

function sorted(section, state) {
  if (state.key === "rank" && state.direction === "ascending") return [...section.lines];
  const { of } = keysOf(section)[state.key];
  const sign = state.direction === "ascending" ? 1 : -1;
  const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  return section.lines.map((line) => [of(line), line]).sort(([a, one], [b, two]) => {
    if (a === null || b === null) return (a === null) - (b === null) || one.at - two.at; // what is missing stays last
    return sign * order(a, b) || one.at - two.at;
  }).map((item) => item[1]);
}

const visible = (section, state) => section.columns.map((c, i) => [c, i]).filter(([c]) => state.groups.has(c.metric));
const bounds = (column) => [
  h("span", { class: "note" }, column.ceiling === null ? "ceiling none" : `ceiling ${ends(column.ceiling)}`),
  h("span", { class: "note" }, `chance ${ends(column.chance) || DASH}`),
];

function head(section, state, turn) {
  const keys = keysOf(section);
  const cell = (key, attributes, ...more) => {
    const text = /^c\d/.test(key) ? section.columns[+key.slice(1)].roi : keys[key].label;
    return h("th", { scope: "col", "aria-sort": state.key === key ? state.direction : "none", ...attributes },
      h("button", { type: "button", class: "sort", "data-key": key, on: { click: () => turn(key, keys[key].first) } }, text), more);
  };
  const shown = visible(section, state);
  const groups = groupsOf(section).filter((g) => state.groups.has(g)).map((g) => {
    const column = section.columns.find((c) => c.metric === g);
    return h("th", { scope: "colgroup", class: "group starts", colspan: shown.filter(([c]) => c.metric === g).length },
      h("span", {}, h("b", {}, broken(g)), h("span", { class: "note direction" }, column.direction)));
  });
  const two = groups.length ? { rowspan: 2 } : {};
  return h("thead", {},
    h("tr", {},
      cell("rank", { ...two, class: "rank" }),
      cell("model", { ...two, class: "name" }),
      section.lines.some((l) => l.family !== null) ? cell("family", { ...two, class: "left wide" }) : null,
      section.lines.some((l) => l.n_parameters !== null) ? cell("size", { ...two, class: "wide" }) : null,
      cell("coverage", { ...two, class: "wide", title: "Cells with a score, of all cells" }),
      cell("aggregate", { ...two }, h("span", { class: "note" }, section.primary || "no primary metric"), bounds(section.aggregate)),
      state.axis ? h("th", { ...two, class: "plot", "aria-label": "Aggregate, drawn" }, axisPlot(state.axis)) : null,
      groups),
    groups.length ? h("tr", {}, shown.map(([column, i], j) => cell(`c${i}`, { class: j && shown[j - 1][0].metric === column.metric ? "" : "starts" }, bounds(column)))) : null);
}

function scoreCell(column, line, starts) {
  const value = valueOf(column, line);
  const kind = `${starts ? "starts" : ""}${value === null ? " none" : ""}`;
  if (value === null) {
    const why = describe(column, line.at);
    return h("td", { class: kind, title: why }, h("span", { "aria-label": why }, DASH));
  }
  const node = h("td", { class: kind }, num(value), h("span", { class: "note" }, span(field(column, "low", line.at), field(column, "high", line.at))));
  node.addEventListener("pointerenter", () => { node.title = describe(column, line.at); }, { once: true });
  return node;
}

function words(line) {
  if (line.unranked !== null) return h("span", { class: "note" }, `not ranked: ${line.unranked}`);
  if (line.tied) return h("span", { class: "note same" }, "not distinguishable from the best");
  return null;
}

const rankCell = (line) => h("td", { class: "rank" }, line.rank
  ? [h("b", {}, String(line.rank[0])), h("span", { class: "note", title: "Ranks that the tests leave open" }, line.rank[1] === line.rank[2] ? `${line.rank[1]}` : `${line.rank[1]}–${line.rank[2]}`)]
  : h("span", { class: "none", title: line.unranked, "aria-label": "not ranked" }, DASH));
const nameButton = (section, line) => h("button", { type: "button", class: "open", title: line.model, "aria-haspopup": "dialog", on: { click: () => go({ view: "model", in: section.key, of: nameOf(line) }) } }, broken(line.model));
const nameCell = (section, line, ...more) => h("th", { scope: "row", class: "name" }, nameButton(section, line),
  h("span", { class: "note" }, line.revision, more, " ", marks(line)), words(line));

function row(section, line, state) {
  const shown = visible(section, state);
  const covered = `${line.covered[0]} of ${line.covered[1]}`;
  return h("tr", { "data-model": nameOf(line) },
    rankCell(line),
    nameCell(section, line, line.covered[0] < line.covered[1] ? ` · ${covered} cells` : ""),
    section.lines.some((l) => l.family !== null) ? h("td", { class: "left wide family" }, line.family === null ? DASH : line.family) : null,
    section.lines.some((l) => l.n_parameters !== null) ? h("td", { class: "wide" }, count(line.n_parameters)) : null,
    h("td", { class: "wide" }, covered),
    scoreCell(section.aggregate, line, false),
    state.axis ? h("td", { class: "plot" }, dotPlot(state.axis, section.aggregate, line)) : null,
    shown.map(([column, i], j) => scoreCell(column, line, !(j && shown[j - 1][0].metric === column.metric))));
}

// The state of a section in the address: sort.KEY=column:direction and metrics.KEY=a|b, left out where it is the usual
function readState(section, state, address) {
  const keys = keysOf(section);
  const [label, direction] = (address.get(`sort.${section.key}`) || "Rank:ascending").split(/:(?=[^:]*$)/);
  const key = Object.keys(keys).find((k) => keys[k].label === label);
  Object.assign(state, key && /^(a|de)scending$/.test(direction) ? { key, direction } : { key: "rank", direction: "ascending" });
  const asked = address.get(`metrics.${section.key}`);
  state.groups = new Set(asked === null ? state.usual : groupsOf(section).filter((g) => asked.split("|").includes(g)));
}
function writeState(section, state, address) {
  if (state.key !== "rank" || state.direction !== "ascending") address.set(`sort.${section.key}`, `${keysOf(section)[state.key].label}:${state.direction}`);
  if (state.usual.join() !== [...state.groups].join()) address.set(`metrics.${section.key}`, [...state.groups].join("|"));
}

function boardOf(section) {
  const all = groupsOf(section);
  const usual = section.columns.length <= 12 ? all : all.slice(0, 1);
  const state = { key: "rank", direction: "ascending", axis: axisOf(section.aggregate, section.lines), usual, groups: new Set(usual), limit: FIRST_ROWS };
  const id = `section-${section.key}`;
  const scroll = sideways(`Table of ${section.title}, scrolls sideways`);
  const more = h("p", { class: "more" });
  const toggles = all.length < 2 ? null : h("div", { class: "groups", role: "group", "aria-label": "Metrics shown" }, h("span", { class: "small" }, "Metrics"));
  let needle = null;
  let found = 0;

  function draw() {
    const hits = sorted(section, state).filter((l) => `${l.model} ${l.revision} ${l.family || ""}`.toLowerCase().includes(needle || ""));
    const lines = hits.slice(0, state.limit);
    scroll.replaceChildren(h("table", { "aria-labelledby": id }, head(section, state, turn), h("tbody", {}, lines.map((line) => row(section, line, state)))));
    more.replaceChildren(hits.length > lines.length ? button(`Show all ${hits.length} models`, () => { state.limit = Infinity; draw(); }) : "");
    toggles?.replaceChildren(toggles.firstChild, ...all.map((g) => button(g, () => flip(g), { "aria-pressed": String(state.groups.has(g)) })));
    found = hits.length;
  }
  function turn(key, first) {
    state.direction = state.key === key ? (state.direction === "ascending" ? "descending" : "ascending") : first;
    state.key = key;
    draw();
    remember(`Sorted by ${keysOf(section)[key].label}, ${state.direction}.`);
    scroll.querySelector(`[data-key="${key}"]`).focus();
  }
  function flip(group) {
    const groups = all.filter((g) => state.groups.has(g) !== (g === group));
    state.groups = new Set(groups);
    if (/^c\d/.test(state.key) && !state.groups.has(section.columns[+state.key.slice(1)].metric)) Object.assign(state, { key: "rank", direction: "ascending" });
    draw();
    remember();
    [...toggles.querySelectorAll("button")][all.indexOf(group)].focus();
  }
  const view = h("section", { "aria-labelledby": id },
    h("div", { class: "section-head" }, h("h2", { id }, section.title), h("span", {}, marks(section))),
    h("p", { class: "meta" }, section.meta), toggles, openers(section), scroll, more, agreement(section), properties(section));
  return {
    section, view, total: section.lines.length,
    draw,
    find: (text) => { if (text !== needle) { needle = text; draw(); } return found; },
    read: (address) => readState(section, state, address),
    write: (address) => writeState(section, state, address),
  };
}

function openers(section) {
  const rois = [...new Set(section.columns.map((c) => c.roi))];
  let roi = rois[0];
  const region = h("form", { on: { submit: (event) => { event.preventDefault(); go({ view: "region", in: section.key, of: roi }); } } },
    choice("Region", rois.map((r) => [r, shortened(r, 40)]), roi, (v) => { roi = v; }), h("button", { class: "quiet" }, "Open"));
  const two = section.lines.length < 2 ? null
    : button("Compare two models", () => go({ view: "compare", in: section.key, of: nameOf(section.lines[0]), with: nameOf(section.lines[1]) }));
  return h("div", { class: "groups openers" }, rois.length ? region : null, two);
}
