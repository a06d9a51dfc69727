// What the page computes itself: paired tests of two models, and rank correlations over models.

function logGamma(x) {
  const c = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3, -5.395239384953e-6];
  const t = x + 5.5 - (x + 0.5) * Math.log(x + 5.5);
  return -t + Math.log((2.5066282746310005 * (1.000000000190015 + c.reduce((sum, v, i) => sum + v / (x + i + 1), 0))) / x);
}

// Regularised incomplete beta function by Lentz's continued fraction (Press et al. 2007, Numerical Recipes, section 6.4)
function beta(x, a, b) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - beta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / Math.max(tiny, 1 - ((a + b) * x) / (a + 1));
  let product = d;
  for (let m = 1; m < 500; m++) {
    for (const k of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / (1 + k * d || tiny);
      c = 1 + k / c || tiny;
      product *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-12) break;
  }
  return front * product;
}
const twoSided = (t, freedom) => (Number.isFinite(t) ? beta(freedom / (freedom + t * t), freedom / 2, 0.5) : 0);

// Critical value of Student's t for 95 %, by bisection
function critical(freedom) {
  let [low, high] = [1, 1000];
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (twoSided(middle, freedom) > 0.05) low = middle; else high = middle;
  }
  return low;
}

const decoded = new Map();
function shares(stratum) {
  if (!decoded.has(stratum)) {
    const bytes = Uint8Array.from(atob(stratum.shares), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    decoded.set(stratum, Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true)));
  }
  return decoded.get(stratum);
}

// Difference of two models in one column: the delete-block jackknife of the difference, Satterthwaite over strata.
function pairedTest(column, a, b) {
  const difference = valueOf(column, a) - valueOf(column, b);
  if (column.paired === undefined) return { difference, se: null, p: null };
  const parts = [[column.paired.unpaired[a.at] + column.paired.unpaired[b.at], Infinity]];
  for (const stratum of column.paired.strata) {
    const all = shares(stratum);
    const g = stratum.blocks;
    let sum = 0;
    for (let k = 0; k < g; k++) sum += (stratum.unit[a.at] * all[a.at * g + k] - stratum.unit[b.at] * all[b.at * g + k]) ** 2;
    parts.push([sum, g - 1]);
  }
  const variance = parts.reduce((sum, [v]) => sum + v, 0);
  if (!Number.isFinite(variance)) return { difference, se: null, p: null };
  const below = parts.reduce((sum, [v, f]) => sum + (v * v) / f, 0);
  const freedom = below > 0 ? Math.min((variance * variance) / below, 1e6) : 1e6;
  const se = Math.sqrt(variance);
  const half = critical(freedom) * se;
  const p = difference === 0 ? 1 : se > 0 ? twoSided(difference / se, freedom) : 0;
  return { difference, se, low: difference - half, high: difference + half, p };
}

function holm(p) {
  const order = p.map((v, i) => [v, i]).filter(([v]) => v !== null).sort((x, y) => x[0] - y[0]);
  const out = p.map(() => null);
  let largest = 0;
  order.forEach(([v, i], k) => { largest = Math.max(largest, v * (order.length - k)); out[i] = Math.min(1, largest); });
  return out;
}

function ranks(values) {
  const order = values.map((v, i) => [v, i]).sort((x, y) => x[0] - y[0]);
  const out = new Array(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j + 1 < order.length && order[j + 1][0] === order[i][0]) j++;
    for (let k = i; k <= j; k++) out[order[k][1]] = (i + j) / 2;
    i = j + 1;
  }
  return out;
}

function spearman(x, y) {
  if (x.length < 3) return null;
  const centred = (v) => { const m = v.reduce((t, u) => t + u, 0) / v.length; return v.map((u) => u - m); };
  const dot = (u, v) => u.reduce((t, w, i) => t + w * v[i], 0);
  const [a, b] = [centred(ranks(x)), centred(ranks(y))];
  const below = Math.sqrt(dot(a, a) * dot(b, b));
  return below > 0 ? dot(a, b) / below : null;
}
