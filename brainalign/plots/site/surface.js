// A surface that turns: a painter's algorithm on a canvas, triangles that face the viewer, the farthest first. Needs no
// graphics card. sides: [{ name, at (3 n), faces (3 m), values (n) }], NaN where there is none.
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

function surfaceView({ sides, boxes, colours, low, high, label, words }) {
  const make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const VIEWS = { lateral: [[180, 0], [0, 0]], medial: [[0, 0], [180, 0]], ventral: [[270, -90], [270, -90]], posterior: [[270, 0], [270, 0]] };
  const canvas = make("canvas", { class: "brain", tabindex: 0, role: "img", "aria-label": `${words} Arrow keys turn it.` });
  const bar = make("canvas", { class: "bar", width: 256, height: 1, "aria-hidden": "true" });
  const state = make("p", { role: "status" }, "Drag or use the arrow keys to turn, + and − or the wheel with Ctrl to come closer; point at a place to read its value.");
  const shade = (v) => (Number.isNaN(v) ? [209, 212, 217]
    : colours[Math.max(0, Math.min(255, Math.round((255 * (v - low)) / (high - low || 1))))]);
  let turn = sides.map(() => [0, 0]), zoom = 1, projected = [], waiting = false, held = null;

  // where the viewer stands: azimuth around the vertical axis, elevation above the horizon, in degrees
  function axes([azimuth, elevation]) {
    const a = (azimuth * Math.PI) / 180, e = (elevation * Math.PI) / 180;
    const towards = [Math.cos(e) * Math.cos(a), Math.cos(e) * Math.sin(a), Math.sin(e)];
    const right = [-Math.sin(a), Math.cos(a), 0];
    const up = [-Math.sin(e) * Math.cos(a), -Math.sin(e) * Math.sin(a), Math.cos(e)];
    return [right, up, towards];
  }
  function draw() {
    if (waiting) return;
    waiting = true;
    const once = () => { if (waiting) { waiting = false; paint(); } };
    requestAnimationFrame(once);
    setTimeout(once, 100); // a page that is not on show gets no frames
  }
  function project(side, i) {
    const [right, up, towards] = axes(turn[i]);
    const n = side.at.length / 3, x = new Float32Array(n), y = new Float32Array(n), z = new Float32Array(n);
    const middle = [0, 1, 2].map((k) => (boxes[i][0][k] + boxes[i][1][k]) / 2);
    const size = Math.max(...[0, 1, 2].map((k) => boxes[i][1][k] - boxes[i][0][k]));
    const room = canvas.width / sides.length, unit = (0.92 * zoom * Math.min(room, canvas.height)) / size;
    for (let v = 0; v < n; v++) {
      const [p, q, r] = [side.at[3 * v] - middle[0], side.at[3 * v + 1] - middle[1], side.at[3 * v + 2] - middle[2]];
      x[v] = room * (i + 0.5) + unit * (p * right[0] + q * right[1] + r * right[2]);
      y[v] = canvas.height / 2 - unit * (p * up[0] + q * up[1] + r * up[2]);
      z[v] = p * towards[0] + q * towards[1] + r * towards[2];
    }
    const seen = [];
    for (let f = 0; f < side.faces.length; f += 3) {
      const [a, b, c] = [side.faces[f], side.faces[f + 1], side.faces[f + 2]];
      if ((x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]) < 0) seen.push([z[a] + z[b] + z[c], a, b, c]);
    }
    seen.sort((p, q) => p[0] - q[0]);
    return { x, y, z, unit, seen };
  }
  function paint() {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio; canvas.height = canvas.clientHeight * ratio;
    const pen = canvas.getContext("2d");
    projected = sides.map(project);
    projected.forEach(({ x, y, unit, seen }, i) => {
      const { at, values } = sides[i];
      const edge = (p, q) => [at[3 * q] - at[3 * p], at[3 * q + 1] - at[3 * p + 1], at[3 * q + 2] - at[3 * p + 2]];
      for (const [, a, b, c] of seen) {
        const slope = Math.abs((x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])) / (unit * unit);
        const u = edge(a, b), w = edge(a, c);
        const whole = Math.hypot(u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]);
        const light = 0.55 + 0.45 * (whole > 0 ? Math.min(1, slope / whole) : 1);
        const mean = (values[a] + values[b] + values[c]) / 3; // NaN where one is
        pen.fillStyle = pen.strokeStyle = `rgb(${shade(mean).map((part) => Math.round(part * light)).join(" ")})`;
        pen.beginPath(); pen.moveTo(x[a], y[a]); pen.lineTo(x[b], y[b]); pen.lineTo(x[c], y[c]); pen.closePath();
        pen.fill(); pen.stroke();
      }
    });
    canvas.dataset.triangles = projected.reduce((sum, p) => sum + p.seen.length, 0);
  }
  // The vertex nearest to the viewer under a point of the canvas
  function under(px, py) {
    let best = null;
    projected.forEach(({ x, y, z, seen }, i) => {
      for (const [, ...corners] of seen) for (const v of corners) {
        const away = Math.hypot(x[v] - px, y[v] - py);
        if (away < 8 * (window.devicePixelRatio || 1) && (best === null || z[v] > best.z)) best = { i, v, z: z[v] };
      }
    });
    return best;
  }
  const look = (name) => { turn = sides.map((side) => [...VIEWS[name][side.name === "left" ? 0 : 1]]); draw(); };
  const closer = (by) => { zoom = Math.max(0.5, Math.min(6, zoom * by)); draw(); };
  const rotate = (dx, dy) => {
    turn = turn.map(([azimuth, elevation]) => [azimuth - dx / 2, Math.max(-90, Math.min(90, elevation + dy / 2))]);
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      rotate(event.clientX - held[0], event.clientY - held[1]);
      held = [event.clientX, event.clientY];
      return;
    }
    const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width;
    const found = under((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
    if (!found) return;
    const value = sides[found.i].values[found.v];
    state.textContent = `${sides[found.i].name} hemisphere, vertex ${found.v}: ${Number.isNaN(value) ? "no value" : value.toFixed(3)}`;
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    closer(event.deltaY > 0 ? 0.9 : 1.1);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-20, 0], ArrowRight: [20, 0], ArrowUp: [0, -20], ArrowDown: [0, 20] }[event.key];
    if (step) { event.preventDefault(); rotate(...step); }
    if (event.key === "+" || event.key === "-") closer(event.key === "+" ? 1.1 : 0.9);
  });
  new ResizeObserver(draw).observe(canvas); // at the start, too
  const pen = bar.getContext("2d");
  colours.forEach((colour, i) => { pen.fillStyle = `rgb(${colour.join(" ")})`; pen.fillRect(i, 0, 1, 1); });
  const views = Object.keys(VIEWS).map((name) => {
    const one = make("button", { type: "button", class: "quiet" }, name);
    one.addEventListener("click", () => look(name));
    return one;
  });
  const end = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");
  look("lateral");
  return make("div", { class: "surface" }, make("div", {}, ...views), canvas,
    make("p", {}, end(low), bar, end(high), ` ${label}; grey: no value`), state);
}
