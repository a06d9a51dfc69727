// The address of what is seen, light and dark, and the start.
const dialog = document.getElementById("detail");
const filter = document.getElementById("filter");
const status = document.getElementById("status");
const boards = [];
let shownAt = null; // the address that the page shows
let opener = null; // what had the focus before a view opened

const addressOf = () => new URLSearchParams(location.hash.slice(1));
function current() {
  const address = new URLSearchParams();
  for (const board of boards) board.write(address);
  if (filter.value.trim()) address.set("find", filter.value.trim());
  return address;
}
function remember(note = "") {
  shownAt = current().toString();
  try { history.replaceState(null, "", `#${shownAt}`); } catch { /* some browsers keep the address of files fixed */ }
  say(note);
}
function say(note) {
  const needle = filter.value.trim().toLowerCase();
  const found = boards.reduce((n, board) => n + board.find(needle), 0);
  const total = boards.reduce((n, board) => n + board.total, 0);
  status.textContent = `${note ? `${note} ` : ""}${needle ? `${found} of ${total} rows shown.` : ""}`;
}

function go(view) {
  const address = current();
  for (const [key, value] of Object.entries(view)) address.set(key, value);
  if (!dialog.open) opener = document.activeElement;
  location.hash = address.toString();
  show();
}
function closeView() {
  location.hash = current().toString();
  show();
}

function contents(address) {
  const section = data.sections.find((one) => one.key === address.get("in"));
  if (!section) return null;
  const line = (key) => section.lines.find((l) => nameOf(l) === address.get(key));
  const view = address.get("view");
  if (view === "model" && line("of")) return modelView(section, line("of"));
  if (view === "region" && section.columns.some((c) => c.roi === address.get("of"))) return regionView(section, address.get("of"));
  if (view === "compare" && line("of") && line("with")) return compareView(section, line("of"), line("with"));
  return null;
}
function show() {
  const address = addressOf();
  if (address.toString() === shownAt) return;
  shownAt = address.toString();
  const before = current().toString();
  for (const board of boards) board.read(address);
  filter.value = address.get("find") || "";
  if (current().toString() !== before) for (const board of boards) board.draw();
  say("");
  const view = contents(address);
  if (view) {
    dialog.replaceChildren(...view.flat(Infinity).filter((node) => node));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  } else if (dialog.open) {
    dialog.close();
    opener?.focus();
  }
}
dialog.addEventListener("click", (event) => { if (event.target === dialog) closeView(); });
dialog.addEventListener("cancel", (event) => { event.preventDefault(); closeView(); });

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

boards.push(...data.sections.map(boardOf));
document.getElementById("board").replaceChildren(...boards.map((board) => board.view));
document.getElementById("tools").hidden = false;
filter.addEventListener("input", () => remember());
window.addEventListener("hashchange", show);
show();
