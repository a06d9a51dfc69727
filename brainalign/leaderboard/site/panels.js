// What stands below a table: do the metrics agree over models, and what goes along with alignment.

// A panel is drawn when it is opened.
function panel(section, summary, draw) {
  const host = h("div", {});
  const node = h("details", { class: "panel", on: { toggle: () => { if (node.open && !host.firstChild) draw(host); } } }, h("summary", {}, summary, " ", marks(section)), host);
  return node;
}
const openModel = (section) => (line) => go({ view: "model", in: section.key, of: nameOf(line) });

function agreement(section) {
  const means = section.means;
  if (means.length < 2 || section.lines.length < 3) return null;
  const values = (m, lines) => lines.map((l) => valueOf(m, l));
  const rho = means.map((one) => means.map((two) => {
    const lines = section.lines.filter((l) => valueOf(one, l) !== null && valueOf(two, l) !== null);
    return { n: lines.length, r: spearman(values(one, lines), values(two, lines)) };
  }));
  return panel(section, "Do the metrics agree?", (host) => {
    let [x, y] = [0, 1];
    const families = familiesOf(section.lines);
    const plot = h("div", {});
    const options = means.map((m, i) => [String(i), m.metric]);
    function draw() {
      const lines = section.lines.filter((l) => valueOf(means[x], l) !== null && valueOf(means[y], l) !== null);
      const points = lines.map((line) => ({ line, x: valueOf(means[x], line), y: valueOf(means[y], line), low: field(means[y], "low", line.at), high: field(means[y], "high", line.at), title: nameOf(line) }));
      plot.replaceChildren(points.length ? scatter(points, { x: means[x].metric, y: means[y].metric, families, open: openModel(section) }) : h("p", {}, "No model has both."), legend(families, lines) || "");
    }
    const paint = (r) => (r === null ? null : r >= 0 ? `background: rgba(var(--heat), ${(0.55 * r).toFixed(3)})` : `background: rgba(var(--cold), ${(-0.55 * r).toFixed(3)})`);
    host.append(h("p", { class: "small" }, "Spearman’s correlation over models, each model by its mean over regions. Values near 1: the metrics order the models alike. A conclusion that holds under one metric alone is a conclusion about that metric. Models of one family are no independent samples."),
      sideways("Correlation between metrics", h("table", { class: "heat" },
        h("thead", {}, h("tr", {}, h("td", {}), means.map((m) => h("th", { scope: "col" }, broken(m.metric))))),
        h("tbody", {}, means.map((m, i) => h("tr", {}, h("th", { scope: "row", class: "left" }, m.metric), rho[i].map(({ r, n }) => h("td", { style: paint(r), title: `${n} models` }, num(r, 2)))))))),
      h("div", { class: "groups" }, choice("Across", options, "0", (v) => { x = +v; draw(); }), choice("Up", options, "1", (v) => { y = +v; draw(); })), plot);
    draw();
  });
}

function properties(section) {
  const names = [...new Set(section.lines.flatMap((l) => Object.keys(l.numbers)))].sort();
  if (!names.length || section.lines.length < 3) return null;
  const targets = [["aggregate", section.aggregate], ...section.means.map((m) => [`${m.metric}, mean of regions`, m]), ...section.columns.map((c) => [columnId(c), c])];
  return panel(section, "Properties against alignment", (host) => {
    let [name, target] = [names.includes("n_parameters") ? "n_parameters" : names[0], 0];
    const families = familiesOf(section.lines);
    const plot = h("div", {});
    function draw() {
      const [label, column] = targets[target];
      const lines = section.lines.filter((l) => l.numbers[name] !== undefined && valueOf(column, l) !== null);
      const points = lines.map((line) => ({ line, x: line.numbers[name], y: valueOf(column, line), low: field(column, "low", line.at), high: field(column, "high", line.at), title: `${nameOf(line)}: ${count(line.numbers[name])}, ${num(valueOf(column, line))}` }));
      const known = points.map((p) => p.x);
      const log = points.length > 0 && Math.min(...known) > 0 && Math.max(...known) > 50 * Math.min(...known);
      const rho = spearman(known, points.map((p) => p.y));
      const missing = section.lines.length - points.length;
      plot.replaceChildren(
        points.length ? scatter(points, { x: name, y: label, log, families, open: openModel(section) }) : h("p", {}, "No model has both."),
        legend(families, lines) || "",
        h("p", { class: "small" }, `${rho === null ? "" : `Spearman’s correlation ${num(rho, 2)} over ${points.length} models`}${families.count ? ` of ${families.count} ${families.count === 1 ? "family" : "families"}` : ""}${missing ? `; ${missing} without this property or score` : ""}. Models of one family are no independent samples, and this is no test: “brainalign relate” permutes within and between families.`));
    }
    host.append(h("div", { class: "groups" }, choice("Across", names.map((n) => [n, n]), name, (v) => { name = v; draw(); }),
      choice("Up", targets.map(([label], i) => [String(i), label]), "0", (v) => { target = +v; draw(); })), plot);
    draw();
  });
}
