// Drawings in SVG: the dot of a score on its axis, scatter plots, and curves over layers.
const COLOURS = 7; // as many as style sheet variables --c0 ...; told apart by shape as well
const SHAPES = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-4-4H4V4H-4Z", "M0-5L5 4H-5Z", "M0-5.5L5.5 0L0 5.5L-5.5 0Z", "M0 5L5-4H-5Z", "M-5-1.6H-1.6V-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5Z", "M-4-2.5L0-5L4-2.5V2.5L0 5L-4 2.5Z"];

function scale(values, from, to, log = false) {
  const on = (v) => (log ? Math.log10(v) : v);
  let low = Math.min(...values.map(on)), high = Math.max(...values.map(on));
  if (high === low) { low -= 0.5; high += 0.5; }
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = log ? Math.max(1, Math.round(rough)) : [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  const pad = 0.04 * (high - low);
  low -= pad; high += pad;
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(log ? 10 ** (k * step) : k * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const label = (t) => (log || Math.abs(t) >= 1e4 ? count(t) : digits > 3 ? (t === 0 ? "0" : (+t.toPrecision(2)).toExponential().replaceAll("-", "−")) : minus(t.toFixed(digits)));
  return { ticks, label, x: (v) => from + ((to - from) * (on(v) - low)) / (high - low) };
}

function axisOf(column, lines) {
  const seen = [column.chance, column.ceiling].filter((x) => x !== null).flat();
  for (const line of lines) seen.push(...["value", "low", "high"].map((name) => field(column, name, line.at)).filter((x) => x !== null));
  return seen.length ? scale(seen, 4, 148) : null;
}
const vertical = (axis, v, kind) => s("line", { class: kind, x1: axis.x(v), x2: axis.x(v), y1: 0, y2: 24 });
function axisPlot(axis) {
  return s("svg", { viewBox: "0 0 152 18", class: "axis", "aria-hidden": "true", preserveAspectRatio: "none" },
    axis.ticks.map((t) => [s("text", { x: axis.x(t), y: 10 }, axis.label(t)), s("line", { class: "c-line", x1: axis.x(t), x2: axis.x(t), y1: 14, y2: 18 })]));
}
function dotPlot(axis, column, line) {
  const v = (name) => field(column, name, line.at);
  const value = v("value"), low = v("low"), high = v("high"), own = v("ceiling");
  const label = value === null ? "no score" : `score ${num(value)}, ${span(low, high)}`;
  return s("svg", { viewBox: "0 0 152 24", class: "dots", role: "img", "aria-label": label, preserveAspectRatio: "none" },
    column.chance === null ? null : vertical(axis, column.chance[0], "c-chance"),
    column.ceiling === null ? null : vertical(axis, own === null ? column.ceiling[1] : own, "c-ceiling"),
    value === null || low === null ? null : s("line", { class: "c-range", x1: axis.x(low), x2: axis.x(high), y1: 12, y2: 12 }),
    value === null ? null : s("circle", { class: "c-dot", cx: axis.x(value), cy: 12, r: 4 }));
}

// The largest families get a colour and a shape each; the others share one.
function familiesOf(lines) {
  const sizes = new Map();
  for (const { family } of lines) if (family !== null) sizes.set(family, (sizes.get(family) || 0) + 1);
  const named = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || a.localeCompare(b));
  return { count: named.length, shown: named.slice(0, COLOURS), of: (line) => { const i = named.indexOf(line.family); return i >= 0 && i < COLOURS ? i : null; } };
}

function frame(xs, ys, x, y, body) {
  return s("svg", { viewBox: "0 0 460 300", class: "chart", role: "img", "aria-label": `${y} against ${x}` },
    s("path", { class: "c-line", d: "M56 10V252H450", fill: "none" }),
    xs.ticks.map((t) => [s("line", { class: "c-line", x1: xs.x(t), x2: xs.x(t), y1: 252, y2: 257 }), s("text", { x: xs.x(t), y: 270, "text-anchor": "middle" }, xs.label(t))]),
    ys.ticks.map((t) => [s("line", { class: "c-line", x1: 51, x2: 56, y1: ys.x(t), y2: ys.x(t) }), s("text", { x: 47, y: ys.x(t) + 4, "text-anchor": "end" }, ys.label(t))]),
    s("text", { x: 253, y: 293, "text-anchor": "middle" }, shortened(x, 64)),
    s("text", { x: -131, y: 12, "text-anchor": "middle", transform: "rotate(-90)" }, shortened(y, 42)), body);
}

// points: [{x, y, low, high, line}]; a bar where the interval of y is known
function scatter(points, { x, y, log = false, diagonal = false, families, open }) {
  const across = points.flatMap((p) => [p.y, p.low, p.high].filter((v) => v !== null && v !== undefined));
  const both = diagonal ? [...points.map((p) => p.x), ...across] : null;
  const xs = scale(both || points.map((p) => p.x), 64, 444, log);
  const ys = scale(both || across, 246, 16);
  return frame(xs, ys, x, y, [
    diagonal ? s("line", { class: "c-chance", x1: xs.x(Math.min(...both)), y1: ys.x(Math.min(...both)), x2: xs.x(Math.max(...both)), y2: ys.x(Math.max(...both)) }) : null,
    points.map((p) => {
      const i = families && p.line ? families.of(p.line) : 0;
      const colour = i === null ? "var(--soft)" : `var(--c${i})`;
      return s("g", { class: open ? "point" : null, on: open ? { click: () => open(p.line) } : {} }, s("title", {}, p.title),
        p.low === null || p.low === undefined ? null : s("line", { stroke: colour, x1: xs.x(p.x), x2: xs.x(p.x), y1: ys.x(p.low), y2: ys.x(p.high) }),
        s("path", { d: SHAPES[i === null ? 0 : i], fill: colour, transform: `translate(${xs.x(p.x).toFixed(1)} ${ys.x(p.y).toFixed(1)})` }));
    }),
  ]);
}
function legend(families, lines) {
  if (families.count < 2) return null;
  const entry = (i, text) => h("span", {}, s("svg", { viewBox: "-7 -7 14 14", class: "key", "aria-hidden": "true" }, s("path", { d: SHAPES[i === null ? 0 : i], fill: i === null ? "var(--soft)" : `var(--c${i})` })), text);
  const rest = lines.some((line) => families.of(line) === null);
  return h("p", { class: "legend small" }, families.shown.map((name, i) => entry(i, shortened(name, 40))), rest ? entry(null, "other families, or none") : null);
}

// One line a region over the layers, in the order of the network
function curves(heat, rois, layers) {
  const flat = heat.values.flat().filter((v) => v !== null).map((v) => v * heat.unit);
  if (layers.length < 2 || !flat.length) return null;
  const xs = { ticks: [], label: String, x: (i) => 64 + (300 * i) / (layers.length - 1) };
  const ys = scale([0, ...flat], 246, 16);
  const lastOf = (j) => heat.values.map((row) => row[j]).filter((v) => v !== null).at(-1);
  const order = rois.map((_, j) => j).filter((j) => lastOf(j) !== undefined);
  const slots = [...order].sort((a, b) => lastOf(b) - lastOf(a));
  const gap = Math.min(14, 240 / Math.max(1, slots.length));
  const heights = [];
  for (const j of slots) heights.push(Math.max(ys.x(lastOf(j) * heat.unit), heights.length ? heights.at(-1) + gap : 0));
  const over = Math.max(0, (heights.at(-1) || 0) - 250);
  return frame(xs, ys, "layers, in the order of the network", "score", order.map((j) => {
    const points = heat.values.map((row, i) => [i, row[j]]).filter(([, v]) => v !== null).map(([i, v]) => `${xs.x(i).toFixed(1)} ${ys.x(v * heat.unit).toFixed(1)}`);
    const colour = `var(--c${j % COLOURS})`;
    return [s("path", { d: `M${points.join("L")}`, fill: "none", stroke: colour, "stroke-width": 1.6, "stroke-dasharray": j >= COLOURS ? "5 3" : null }),
      s("text", { x: 370, y: heights[slots.indexOf(j)] - over + 4, fill: colour, class: "named" }, shortened(rois[j], 14))];
  }));
}

// One line a layer over the scales of a property
function scaleCurves(curve, layers) {
  const scales = pooled(curve.scales);
  const flat = curve.values.flat().filter((v) => v !== null);
  if (!flat.length) return h("p", { class: "none" }, "no value at any scale");
  const xs = scale(scales, 64, 364, true);
  xs.ticks = scales.length > 6 ? scales.filter((_, i) => i % 2 === 0) : scales;
  const ys = scale([0, ...flat], 246, 16);
  const heights = [];
  const named = curve.values.map((row, i) => [i, row.filter((v) => v !== null).at(-1)]).filter(([, v]) => v !== undefined).sort((a, b) => b[1] - a[1]);
  const gap = Math.min(13, 240 / Math.max(1, named.length));
  for (const [, v] of named) heights.push(Math.max(ys.x(v), heights.length ? heights.at(-1) + gap : 0));
  const over = Math.max(0, (heights.at(-1) || 0) - 250);
  return frame(xs, ys, curve.property.startsWith("convergence.") ? "points in each of two samples" : "number of neighbours k", curve.property, curve.values.map((row, i) => {
    const points = row.map((v, k) => [scales[k], v]).filter(([, v]) => v !== null).map(([k, v]) => `${xs.x(k).toFixed(1)} ${ys.x(v).toFixed(1)}`);
    if (!points.length) return null;
    const at = named.findIndex(([j]) => j === i);
    const look = { stroke: `var(--c${i % COLOURS})`, "stroke-dasharray": i >= COLOURS ? "5 3" : null };
    return [s("path", { d: `M${points.join("L")}`, fill: "none", "stroke-width": 1.6, ...look }),
      s("text", { x: 370, y: heights[at] - over + 4, fill: look.stroke, class: "named" }, shortened(layers[i], 14))];
  }));
}
