"use strict";
(() => {
  const data = JSON.parse(document.getElementById("leaderboard-data").textContent);
  const F = Object.fromEntries(data.fields.map((name, i) => [name, i]));
  const SVG = "http://www.w3.org/2000/svg";
  const DASH = "—";

  // every text enters the page as a text node, so that names are never read as markup
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

  const minus = (text) => text.replace("-", "−");
  const num = (x, digits = 3) => (x === null || x === undefined ? DASH : minus(x.toFixed(digits)));
  const span = (low, high) => (low === null || high === null ? "no interval" : `${num(low)}\u2009–\u2009${num(high)}`);
  const pval = (p, sign = "") => (p === null ? `${sign}${DASH}` : p < 0.001 ? "< 0.001" : `${sign}${num(p)}`);
  const count = (n) => {
    if (n === null) return DASH;
    if (n < 1e3) return String(n);
    if (n < 1e6) return `${(n / 1e3).toPrecision(3)} k`;
    return n < 1e9 ? `${(n / 1e6).toPrecision(3)} M` : `${(n / 1e9).toPrecision(3)} G`;
  };
  const ends = (pair) => (pair === null ? null : num(pair[0]) === num(pair[1]) ? num(pair[0]) : `${num(pair[0])}–${num(pair[1])}`);
  const broken = (text) => text.split(/(?<=[./])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));

  function marks(item) {
    return [
      item.simulated ? h("span", { class: "mark" }, "SIMULATED") : null,
      item.uncommitted ? h("span", { class: "mark", title: "Made by code that is not a committed state" }, "uncommitted code") : null,
    ];
  }

  function describe(cell) {
    const v = (name) => cell[F[name]];
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

  function scoreCell(cell, starts) {
    const value = cell[F.value];
    const title = describe(cell);
    const attributes = { title, class: `${starts ? "starts" : ""}${value === null ? " none" : ""}` };
    if (value === null) return h("td", attributes, h("span", { "aria-label": title }, DASH));
    return h("td", attributes, num(value), h("span", { class: "note" }, span(cell[F.low], cell[F.high])));
  }

  // ---- the dot plot of the aggregate -------------------------------------------------------------------------
  function axisOf(section) {
    const seen = [section.aggregate.chance, section.aggregate.ceiling].filter((x) => x !== null).flat();
    for (const line of section.lines) seen.push(...[F.value, F.low, F.high].map((i) => line.aggregate[i]).filter((x) => x !== null));
    if (!seen.length) return null;
    let low = Math.min(...seen), high = Math.max(...seen);
    if (high === low) { low -= 0.5; high += 0.5; }
    const rough = (high - low) / 3;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
    const pad = 0.04 * (high - low);
    low -= pad; high += pad;
    const ticks = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return { ticks, digits, x: (v) => 4 + (144 * (v - low)) / (high - low) };
  }
  const vertical = (axis, v, kind) => s("line", { class: kind, x1: axis.x(v), x2: axis.x(v), y1: 0, y2: 24 });
  const frame = (height, kind, label, ...children) =>
    s("svg", { viewBox: `0 0 152 ${height}`, class: kind, role: "img", "aria-label": label, preserveAspectRatio: "none" }, children);
  function axisPlot(axis) {
    return s("svg", { viewBox: "0 0 152 18", class: "axis", "aria-hidden": "true" },
      axis.ticks.map((t) => [s("text", { x: axis.x(t), y: 10 }, minus(t.toFixed(axis.digits))), s("line", { class: "c-line", x1: axis.x(t), x2: axis.x(t), y1: 14, y2: 18 })]));
  }
  function dotPlot(axis, section, cell) {
    const { chance, ceiling } = section.aggregate;
    const value = cell[F.value];
    const own = cell[F.ceiling];
    return frame(24, "dots", value === null ? "no score" : `score ${num(value)}, ${span(cell[F.low], cell[F.high])}`,
      chance === null ? null : vertical(axis, chance[0], "c-chance"),
      ceiling === null ? null : vertical(axis, own === null ? ceiling[1] : own, "c-ceiling"),
      value === null || cell[F.low] === null ? null : s("line", { class: "c-range", x1: axis.x(cell[F.low]), x2: axis.x(cell[F.high]), y1: 12, y2: 12 }),
      value === null ? null : s("circle", { class: "c-dot", cx: axis.x(value), cy: 12, r: 4 }));
  }

  // ---- one section -------------------------------------------------------------------------------------------
  const groupsOf = (section) => [...new Set(section.columns.map((c) => c.metric))];

  function keysOf(section) {
    const keys = {
      rank: { label: "Rank", of: (l) => (l.rank ? l.rank[0] : null), first: "ascending" },
      model: { label: "Model", of: (l) => l.model.toLowerCase(), first: "ascending" },
      family: { label: "Family", of: (l) => (l.family === null ? null : l.family.toLowerCase()), first: "ascending" },
      size: { label: "Parameters", of: (l) => l.n_parameters, first: "descending" },
      aggregate: { label: "Aggregate", of: (l) => l.aggregate[F.value], first: section.higher ? "descending" : "ascending" },
    };
    section.columns.forEach((c, i) => {
      keys[`c${i}`] = { label: `${c.metric} ${c.roi}`, of: (l) => l.cells[i][F.value], first: c.higher ? "descending" : "ascending" };
    });
    return keys;
  }

  function sorted(section, state) {
    if (state.key === "rank" && state.direction === "ascending") return [...section.lines];
    const { of } = keysOf(section)[state.key];
    const sign = state.direction === "ascending" ? 1 : -1;
    const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    return section.lines.map((line, i) => [of(line), i, line]).sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j; // what is missing stays last
      return sign * order(a, b) || i - j;
    }).map((item) => item[2]);
  }

  function head(section, state, redraw) {
    const keys = keysOf(section);
    const cell = (key, attributes, ...more) => {
      const current = state.key === key;
      const turn = () => {
        state.direction = current ? (state.direction === "ascending" ? "descending" : "ascending") : keys[key].first;
        state.key = key;
        redraw(key);
      };
      const text = key.startsWith("c") ? section.columns[+key.slice(1)].roi : keys[key].label;
      return h("th", { scope: "col", "aria-sort": current ? state.direction : "none", ...attributes },
        h("button", { type: "button", class: "sort", "data-key": key, on: { click: turn } }, text), more);
    };
    const bounds = (column) => [
      h("span", { class: "note" }, column.ceiling === null ? "ceiling none" : `ceiling ${ends(column.ceiling)}`),
      h("span", { class: "note" }, `chance ${ends(column.chance) || DASH}`),
    ];
    const shown = visible(section, state);
    const groups = groupsOf(section).filter((g) => state.groups.has(g)).map((g) => {
      const column = section.columns.find((c) => c.metric === g);
      return h("th", { scope: "colgroup", class: "group starts", colspan: shown.filter(([c]) => c.metric === g).length },
        h("span", {}, h("b", {}, broken(g)), h("span", { class: "note", style: "border:0;padding:0;white-space:normal" }, column.direction)));
    });
    const two = groups.length ? { rowspan: 2 } : {};
    return h("thead", {},
      h("tr", {},
        cell("rank", { ...two, class: "rank" }),
        cell("model", { ...two, class: "name" }),
        section.lines.some((l) => l.family !== null) ? cell("family", { ...two, class: "left wide" }) : null,
        section.lines.some((l) => l.n_parameters !== null) ? cell("size", { ...two, class: "wide" }) : null,
        cell("aggregate", { ...two }, h("span", { class: "note" }, section.primary || "no primary metric"), bounds(section.aggregate)),
        state.axis ? h("th", { ...two, class: "plot", "aria-label": "Aggregate, drawn" }, axisPlot(state.axis)) : null,
        groups),
      groups.length ? h("tr", {}, shown.map(([column, i], j) => cell(`c${i}`, { class: j && shown[j - 1][0].metric === column.metric ? "" : "starts" }, bounds(column)))) : null);
  }

  const visible = (section, state) => section.columns.map((c, i) => [c, i]).filter(([c]) => state.groups.has(c.metric));

  function words(line) {
    if (line.unranked !== null) return h("span", { class: "note" }, `not ranked: ${line.unranked}`);
    if (line.tied) return h("span", { class: "note same" }, "not distinguishable from the best");
    return null;
  }

  function row(section, line, state) {
    const rank = line.rank
      ? [h("b", {}, String(line.rank[0])), h("span", { class: "note", title: "Ranks that the tests leave open" }, line.rank[1] === line.rank[2] ? `${line.rank[1]}` : `${line.rank[1]}–${line.rank[2]}`)]
      : h("span", { class: "none", title: line.unranked, "aria-label": "not ranked" }, DASH);
    const shown = visible(section, state);
    return h("tr", { "data-model": `${line.model}@${line.revision}` },
      h("td", { class: "rank" }, rank),
      h("th", { scope: "row", class: "name" },
        h("button", { type: "button", class: "open", title: line.model, "aria-haspopup": "dialog", on: { click: () => openDetail(section, line) } }, broken(line.model)),
        h("span", { class: "note" }, line.revision, line.covered[0] < line.covered[1] ? ` · ${line.covered[0]} of ${line.covered[1]} cells` : "", " ", marks(line)),
        words(line)),
      section.lines.some((l) => l.family !== null) ? h("td", { class: "left wide" }, line.family === null ? DASH : line.family) : null,
      section.lines.some((l) => l.n_parameters !== null) ? h("td", { class: "wide" }, count(line.n_parameters)) : null,
      scoreCell(line.aggregate, false),
      state.axis ? h("td", { class: "plot" }, dotPlot(state.axis, section, line.aggregate)) : null,
      shown.map(([column, i], j) => scoreCell(line.cells[i], !(j && shown[j - 1][0].metric === column.metric))));
  }

  const boards = [];
  function sectionView(section, number) {
    const all = groupsOf(section);
    const few = section.columns.length <= 12;
    const state = { key: "rank", direction: "ascending", axis: axisOf(section), groups: new Set(few ? all : all.slice(0, 1)) };
    const id = `section-${number}`;
    const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Table of ${section.title}, scrolls sideways` });
    let rows = [];
    function show(needle) {
      let n = 0;
      for (const [line, node] of rows) {
        const hit = `${line.model} ${line.revision} ${line.family || ""}`.toLowerCase().includes(needle);
        node.hidden = !hit;
        n += hit;
      }
      return n;
    }
    function redraw(key) {
      rows = sorted(section, state).map((line) => [line, row(section, line, state)]);
      scroll.replaceChildren(h("table", { "aria-labelledby": id }, head(section, state, redraw), h("tbody", {}, rows.map((r) => r[1]))));
      refresh(key ? `Sorted by ${keysOf(section)[key].label}, ${state.direction}.` : "");
      if (key) scroll.querySelector(`[data-key="${key}"]`).focus();
    }
    const toggles = all.length < 2 ? null : h("div", { class: "groups", role: "group", "aria-label": "Metrics shown" }, h("span", { class: "small" }, "Metrics"),
      all.map((g) => h("button", {
        type: "button", class: "quiet", "aria-pressed": String(state.groups.has(g)),
        on: { click: (event) => {
          if (!state.groups.delete(g)) state.groups.add(g);
          if (state.key.startsWith("c") && !state.groups.has(section.columns[+state.key.slice(1)].metric)) Object.assign(state, { key: "rank", direction: "ascending" });
          event.currentTarget.setAttribute("aria-pressed", String(state.groups.has(g)));
          redraw();
        } },
      }, g)));
    boards.push({ show, total: section.lines.length });
    const view = h("section", { "aria-labelledby": id },
      h("div", { class: "section-head" }, h("h2", { id }, section.title), h("span", {}, marks(section))),
      h("p", { class: "meta" }, section.meta), toggles, scroll);
    return [view, redraw];
  }

  const filter = document.getElementById("filter");
  const status = document.getElementById("status");
  function refresh(note) {
    const needle = filter.value.trim().toLowerCase();
    const found = boards.reduce((n, board) => n + board.show(needle), 0);
    const total = boards.reduce((n, board) => n + board.total, 0);
    status.textContent = `${note ? `${note} ` : ""}${needle ? `${found} of ${total} rows shown.` : ""}`;
  }

  // ---- detail of one model -----------------------------------------------------------------------------------
  const dialog = document.getElementById("detail");
  function scoresTable(section, line) {
    const named = ["Metric", "Region", "Score", "Interval", "Chance", "Ceiling", "Normalised", "Interval", "z", "p", "Layer chosen, in n folds"];
    const items = [[{ metric: section.primary, roi: "aggregate" }, line.aggregate, null], ...section.columns.map((c, i) => [c, line.cells[i], line.choice[i]])];
    const body = items.filter(([c]) => c.metric !== null).map(([column, cell, choice]) => {
      const v = (name) => cell[F[name]];
      const head = [h("th", { scope: "row", class: "left" }, column.metric), h("td", { class: "left" }, column.roi)];
      if (v("value") === null) return h("tr", {}, head, h("td", { class: "left wrap none", colspan: 9 }, `${DASH} ${v("reason")}`));
      const ceiling = v("ceiling") === null ? h("td", { class: "none", title: v("ceiling_reason") }, "none") : h("td", { title: `from ${v("ceiling_kind")}` }, num(v("ceiling")));
      return h("tr", { title: describe(cell) }, head, h("td", {}, num(v("value"))), h("td", {}, span(v("low"), v("high"))), h("td", {}, num(v("chance"))), ceiling,
        h("td", {}, num(v("normalised"))), h("td", {}, v("normalised") === null ? DASH : span(v("normalised_low"), v("normalised_high"))),
        h("td", {}, num(v("z"), 1)), h("td", {}, pval(v("p"))), h("td", { class: "left wrap" }, choice || ""));
    });
    return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All scores of the model" },
      h("table", {}, h("thead", {}, h("tr", {}, named.map((n, i) => h("th", { scope: "col", class: i < 2 || i === 10 ? "left" : "" }, n)))), h("tbody", {}, body)));
  }

  function heatTable(heat) {
    const flat = heat.values.flat().filter((x) => x !== null);
    const top = Math.max(...flat, 0);
    const paint = (v) => (v === null || !(top > 0) ? null : `background: rgba(var(--heat), ${(0.55 * Math.max(0, v / top)).toFixed(3)})`);
    return h("div", {}, h("h3", {}, heat.metric),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${heat.metric} by layer and region` }, h("table", { class: "heat" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "left" }, "Layer"), heat.rois.map((r) => h("th", { scope: "col" }, r)))),
        h("tbody", {}, heat.layers.map((layer, i) => h("tr", {}, h("th", { scope: "row", class: "left" }, layer), heat.values[i].map((v) => h("td", { style: paint(v) }, num(v)))))))));
  }

  function facts(value) {
    const listed = value !== null && typeof value === "object"
      ? (Array.isArray(value) ? value.map((v, i) => [String(i), v]) : Object.entries(value)) : null;
    if (!listed) return value === null ? DASH : String(value);
    if (listed.every(([, v]) => v === null || typeof v !== "object")) {
      return Array.isArray(value) ? value.join(", ") : listed.map(([k, v]) => `${k} ${v === null ? DASH : v}`).join(", ");
    }
    return h("dl", {}, listed.map(([k, v]) => [h("dt", {}, k), h("dd", {}, facts(v))]));
  }

  function openDetail(section, line) {
    const rank = line.rank ? `rank ${line.rank[0]} of ${section.n_ranked} (the tests leave ${line.rank[1]} to ${line.rank[2]} open)` : `not ranked: ${line.unranked}`;
    const best = line.rank && !line.highest && line.to_best
      ? `Against the highest aggregate: ${num(line.to_best[0])} (se ${num(line.to_best[1])}), p ${pval(line.to_best[2], "= ")} after Holm’s correction${line.tied ? ": not distinguishable from the best" : ""}.` : null;
    dialog.replaceChildren(
      h("div", { class: "dialog-head" }, h("div", {}, h("h2", { id: "detail-title" }, line.model),
        h("p", { class: "meta" }, [`revision ${line.revision}`, line.family, line.n_parameters === null ? null : `${count(line.n_parameters)} parameters`, section.title, rank].filter((x) => x !== null).join(" · ")),
        h("p", {}, marks(line))), h("button", { type: "button", class: "quiet", on: { click: () => dialog.close() } }, "Close")),
      best ? h("p", { class: "small" }, best) : "",
      h("h3", {}, "Scores"), scoresTable(section, line),
      h("p", { class: "small" }, "z and p come from random pairings of stimuli. Over several subjects both are bounds on the safe side: nulls are taken as fully correlated, and p is the largest of the subjects’."),
      h("h3", {}, "Layers by region"), h("p", { class: "small" }, "Scores of each layer on all stimuli, mean over subjects; the strongest shade is the largest score of its table."),
      h("div", { class: "maps" }, line.heat.map(heatTable)),
      h("h3", {}, "Provenance"),
      ...line.provenance.map((p) => h("details", {}, h("summary", {}, p.metric), h("dl", {}, p.facts.map(([k, v]) => [h("dt", {}, k), h("dd", {}, facts(v !== null && typeof v === "object" && "pooled" in v ? data.pool[v.pooled] : v))])))));
    dialog.showModal();
    dialog.scrollTop = 0;
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // ---- light and dark ----------------------------------------------------------------------------------------
  const theme = document.getElementById("theme");
  const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const labelTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`); };
  const remembered = (() => { try { return localStorage.getItem("brainalign-theme"); } catch { return null; } })();
  if (remembered === "dark" || remembered === "light") document.documentElement.dataset.theme = remembered;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("brainalign-theme", document.documentElement.dataset.theme); } catch { /* private windows refuse storage */ }
    labelTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", labelTheme);
  labelTheme();
  theme.hidden = false;
  if (matchMedia("(max-width: 640px)").matches) document.querySelector(".how").removeAttribute("open");

  const views = data.sections.map(sectionView);
  document.getElementById("board").replaceChildren(...views.map((v) => v[0]));
  for (const [, redraw] of views) redraw();
  document.getElementById("tools").hidden = false;
  filter.addEventListener("input", () => refresh(""));
})();
