// What opens over the page: one model, one region, two models side by side.

function scoresTable(section, line) {
  const named = ["Metric", "Region", "Score", "Interval", "Chance", "Ceiling", "Normalised", "Interval", "z", "p", "Layer chosen, in n folds"];
  const items = [[section.aggregate, section.primary, "aggregate", null], ...section.columns.map((c, i) => [c, c.metric, c.roi, pooled(line.choice[i])])];
  const body = items.filter(([, metric]) => metric !== null).map(([column, metric, roi, chosen]) => {
    const v = (name) => field(column, name, line.at);
    const start = [h("th", { scope: "row", class: "left" }, metric), h("td", { class: "left" }, roi)];
    if (v("value") === null) return h("tr", {}, start, h("td", { class: "left wrap none", colspan: 9 }, `${DASH} ${v("reason")}`));
    const ceiling = v("ceiling") === null ? h("td", { class: "none", title: v("ceiling_reason") }, "none") : h("td", { title: `from ${v("ceiling_kind")}` }, num(v("ceiling")));
    return h("tr", { title: describe(column, line.at) }, start, h("td", {}, num(v("value"))), h("td", {}, span(v("low"), v("high"))), h("td", {}, num(v("chance"))), ceiling,
      h("td", {}, num(v("normalised"))), h("td", {}, v("normalised") === null ? DASH : span(v("normalised_low"), v("normalised_high"))),
      h("td", {}, num(v("z"), 1)), h("td", {}, pval(v("p"))), h("td", { class: "left wrap" }, chosen || ""));
  });
  return sideways("All scores of the model",
    h("table", {}, h("thead", {}, h("tr", {}, named.map((n, i) => h("th", { scope: "col", class: i < 2 || i === 10 ? "left" : "" }, n)))), h("tbody", {}, body)));
}

function heatTable(heat) {
  const rois = pooled(heat.rois), layers = pooled(heat.layers);
  const top = Math.max(...heat.values.flat().filter((x) => x !== null), 0);
  const paint = (v) => (v === null || !(top > 0) ? null : `background: rgba(var(--heat), ${(0.55 * Math.max(0, v / top)).toFixed(3)})`);
  const table = sideways(`${heat.metric} by layer and region`, h("table", { class: "heat" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "left" }, "Layer"), rois.map((r) => h("th", { scope: "col" }, r)))),
    h("tbody", {}, layers.map((layer, i) => h("tr", {}, h("th", { scope: "row", class: "left" }, layer), heat.values[i].map((v) => h("td", { style: paint(v) }, num(v === null ? null : v * heat.unit))))))));
  return h("div", {}, h("h4", {}, heat.metric), h("div", { class: "maps" }, table, curves(heat, rois, layers)));
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

const measured = (v) => (v === null || v === 0 || (Math.abs(v) >= 0.01 && Math.abs(v) < 1e6) ? num(v) : v.toExponential(1).replaceAll("-", "−"));

// Properties without a brain: by layer, and over scales as curves, one a layer
function geometryView(line) {
  const sets = data.geometry[nameOf(line)] || [];
  return sets.map((of) => {
    const layers = pooled(of.layers), names = pooled(of.table.names);
    const [fewest, most] = of.n_stimuli;
    const table = names.length === 0 ? "" : sideways("Properties by layer", h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "left" }, "Property"), layers.map((l) => h("th", { scope: "col" }, shortened(l, 24))))),
      h("tbody", {}, names.map((name, i) => h("tr", {}, h("th", { scope: "row", class: "left" }, name), of.table.values[i].map((v) => h("td", {}, measured(v))))))));
    return [h("h3", {}, `Properties on ${of.stimuli}`), h("p", {}, marks(of)),
      h("p", { class: "small" }, `Measured without responses of a brain, ${fewest === most ? most : `${fewest} to ${most}`} stimuli. Dimension compares only at the same number of stimuli and the same k${names.some((name) => name.startsWith("bound.")) ? "; a bound rests on what no data test, and the one by Hoeffding’s inequality, which knows no dimension, is never above it" : ""}.`),
      table, of.curves.map((curve) => h("div", {}, h("h4", {}, curve.property), scaleCurves(curve, layers)))];
  });
}

const standing = (section, line) => (line.rank
  ? `rank ${line.rank[0]} of ${section.n_ranked} (the tests leave ${line.rank[1] === line.rank[2] ? "no other" : `${line.rank[1]} to ${line.rank[2]}`} open)`
  : `not ranked: ${line.unranked}`);
const title = (text, item, ...meta) => h("div", { class: "dialog-head" },
  h("div", {}, h("h2", { id: "detail-title" }, text), h("p", { class: "meta" }, meta.filter((x) => x !== null).join(" · ")), h("p", {}, marks(item))),
  button("Close", closeView));

function modelView(section, line) {
  const best = line.rank && !line.highest && line.to_best
    ? `Against the highest aggregate: ${num(line.to_best[0])} (se ${num(line.to_best[1])}), p ${pval(line.to_best[2], "= ")} after Holm’s correction${line.tied ? ": not distinguishable from the best" : ""}.` : null;
  const others = section.lines.filter((l) => l !== line);
  let other = others.length ? nameOf(others[0]) : null;
  const compare = others.length === 0 ? null : h("form", { class: "groups", on: { submit: (event) => { event.preventDefault(); go({ view: "compare", in: section.key, of: nameOf(line), with: other }); } } },
    choice("Compare with", others.map((l) => [nameOf(l), shortened(nameOf(l), 60)]), other, (v) => { other = v; }), h("button", { class: "quiet" }, "Compare"));
  return [
    title(line.model, line, `revision ${line.revision}`, line.family, line.n_parameters === null ? null : `${count(line.n_parameters)} parameters`, section.title, standing(section, line), `${line.covered[0]} of ${line.covered[1]} cells`),
    best ? h("p", { class: "small" }, best) : "", compare,
    h("h3", {}, "Scores"), scoresTable(section, line),
    h("p", { class: "small" }, "z and p come from random pairings of stimuli. Over several subjects both are bounds on the safe side: nulls are taken as fully correlated, and p is the largest of the subjects’."),
    h("h3", {}, "Layers by region"), h("p", { class: "small" }, "Scores of each layer on all stimuli, mean over subjects; the strongest shade is the largest score of its table."),
    line.heat.map(heatTable), geometryView(line),
    h("h3", {}, "Provenance"),
    line.provenance.map((p) => h("details", {}, h("summary", {}, p.metric), h("dl", {}, p.facts.map(([k, v]) => [h("dt", {}, k), h("dd", {}, facts(pooled(v)))])))),
  ];
}

function regionView(section, roi) {
  const columns = section.columns.filter((c) => c.roi === roi);
  const axes = columns.map((c) => axisOf(c, section.lines));
  const first = columns[0];
  const sign = first.higher ? -1 : 1;
  const lines = [...section.lines].sort((a, b) => {
    const [x, y] = [valueOf(first, a), valueOf(first, b)];
    return x === null || y === null ? (x === null) - (y === null) || a.at - b.at : sign * (x - y);
  });
  const host = h("tbody");
  const more = h("p", { class: "more" });
  function draw(limit) {
    host.replaceChildren(...lines.slice(0, limit).map((line) => h("tr", {}, nameCell(section, line),
      columns.map((c, i) => [scoreCell(c, line, true), h("td", { class: "plot" }, axes[i] && valueOf(c, line) !== null ? dotPlot(axes[i], c, line) : "")]))));
    more.replaceChildren(lines.length > limit ? button(`Show all ${lines.length} models`, () => draw(Infinity)) : "");
  }
  draw(FIRST_ROWS);
  return [
    title(roi, section, section.title, `${lines.length} models, by ${first.metric}`),
    h("p", { class: "small" }, "Every metric in this region. Ranks belong to the aggregate over regions: none are given here. Dot and bar: score and interval; dotted line: chance; upright stroke: ceiling."),
    sideways(`Scores in ${roi}`, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "name" }, "Model"),
      columns.map((c, i) => [h("th", { scope: "col", class: "starts" }, broken(c.metric), bounds(c)), h("th", { class: "plot", "aria-label": `${c.metric}, drawn` }, axes[i] ? axisPlot(axes[i]) : "")]))), host)), more,
  ];
}

function compareView(section, a, b) {
  const others = section.means.filter((m) => m.metric !== section.primary); // the primary metric's is the aggregate
  const items = [[section.primary, "aggregate", section.aggregate], ...others.map((m) => [m.metric, "mean of regions", m]), ...section.columns.map((c) => [c.metric, c.roi, c])]
    .filter(([metric, , column]) => metric !== null && valueOf(column, a) !== null && valueOf(column, b) !== null);
  const tests = items.map(([, , column]) => pairedTest(column, a, b));
  const corrected = holm(tests.map((t) => t.p));
  const body = items.map(([metric, roi, column], i) => h("tr", {}, h("th", { scope: "row", class: "left" }, metric), h("td", { class: "left" }, roi),
    h("td", {}, num(valueOf(column, a))), h("td", {}, num(valueOf(column, b))), h("td", {}, num(tests[i].difference)),
    h("td", {}, tests[i].se === null ? DASH : span(tests[i].low, tests[i].high)), h("td", {}, pval(tests[i].p)), h("td", {}, pval(corrected[i]))));
  const pick = (label, line, change) => choice(label, section.lines.map((l) => [nameOf(l), shortened(nameOf(l), 60)]), nameOf(line), change);
  const points = items.filter(([, , column]) => section.columns.includes(column)).map(([metric, roi, column]) => ({ x: valueOf(column, b), y: valueOf(column, a), low: field(column, "low", a.at), high: field(column, "high", a.at), title: `${metric} ${roi}: ${num(valueOf(column, a))} and ${num(valueOf(column, b))}` }));
  const untested = tests.some((t) => t.se === null);
  const named = ["Metric", "Region", "A", "B", "A − B", "95 % interval", "p", "p, Holm"];
  return [
    title("Two models", { simulated: a.simulated || b.simulated, uncommitted: a.uncommitted || b.uncommitted }, section.title),
    h("div", { class: "pair" }, [["A", a, b], ["B", b, a]].map(([letter, line]) => h("p", {}, h("b", {}, `${letter} `), nameButton(section, line), h("span", { class: "note" }, `${line.revision} · ${standing(section, line)} `, marks(line))))),
    h("div", { class: "groups" }, pick("A", a, (v) => go({ view: "compare", in: section.key, of: v, with: nameOf(b) })), pick("B", b, (v) => go({ view: "compare", in: section.key, of: nameOf(a), with: v }))),
    h("p", { class: "small" }, `Paired over the same stimuli by the delete-block jackknife; “p, Holm” is corrected over the ${items.length} rows of this table. Ranks correct over all pairs of models instead.${untested ? " A dash: the values that the test needs are left out of this page for its size, or are not there; the result files may have them." : ""}`),
    sideways("Differences", h("table", {}, h("thead", {}, h("tr", {}, named.map((n, i) => h("th", { scope: "col", class: i < 2 ? "left" : "" }, n)))), h("tbody", {}, body))),
    points.length > 1 ? [h("h3", {}, "Every region and metric"), scatter(points, { x: `B: ${b.model}`, y: `A: ${a.model}`, diagonal: true })] : "",
  ];
}
