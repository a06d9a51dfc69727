"""The page in a browser: opened from disk, sorted, filtered, a model opened; no console error, no request."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scipy import special

from brainalign.leaderboard import build_leaderboard
from brainalign.leaderboard.collect import collect
from brainalign.leaderboard.rank import compare_pairs
from brainalign.leaderboard.table import make_table
from brainalign.results import PropertyResult, write_property
from brainalign.testing.results import MiniatureBoard, MiniatureModel

BROWSER = next(
    (
        found
        for name in ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium at /usr/bin/chromium or on PATH")

HOSTILE = '<img src=x onerror="document.title=1"> "q" </script> 🧠 ' + "x" * 90

# what a reader would do, and what they would then see
ACTIONS = """
const seen = {};
const all = (node, selector) => [...node.querySelectorAll(selector)];
const names = (section) => all(section, "tr[data-model] .open").map((b) => b.title);
const [real, simulated] = document.querySelectorAll("section");
seen.first = names(simulated);
seen.ranks = all(simulated, "td.rank").map((td) => td.innerText.split("\\n")[0]);
const press = (section, key) => section.querySelector(`[data-key="${key}"]`).click();
press(simulated, "model");
seen.byName = names(simulated);
seen.sortState = simulated.querySelector("[data-key=model]").closest("th").getAttribute("aria-sort");
seen.focusKept = document.activeElement.dataset.key;
press(simulated, "c3");
seen.byColumn = names(simulated);
press(simulated, "c3");
seen.byColumnTurned = names(simulated);
press(simulated, "rank");
seen.words = simulated.innerText.includes("not distinguishable from the best");
seen.heads = all(simulated, "thead tr:last-child th").map((th) => th.innerText.replace(/\\s+/g, " ").trim());
seen.missing = all(simulated, "td.none").map((td) => [td.innerText, td.title]);
seen.marks = all(simulated, "tbody tr").map((r) => all(r, ".mark").map((m) => m.innerText));
seen.realMarks = all(real, ".mark").length;
const filter = document.getElementById("filter");
filter.value = "SECOND";
filter.dispatchEvent(new Event("input"));
seen.filtered = [names(real), names(simulated), document.getElementById("status").textContent];
filter.value = "";
filter.dispatchEvent(new Event("input"));
const toggle = () => all(simulated, ".groups button").find((b) => b.textContent.startsWith("cka"));
const columns = () => simulated.querySelectorAll("thead tr:last-child th").length;
const turn = () => (toggle().click(), columns());
seen.columns = [columns(), turn(), toggle().getAttribute("aria-pressed"), turn()];
const dialog = document.querySelector("dialog");
const close = () => all(dialog, "button").find((b) => b.textContent === "Close").click();
simulated.querySelector("tbody .open").click();
seen.dialog = [dialog.open, dialog.querySelector("h2").textContent, dialog.innerText,
  dialog.querySelectorAll("svg.chart").length];
close();
seen.closed = !dialog.open;
const region = simulated.querySelector(".openers form");
region.querySelector("select").value = "late";
region.querySelector("select").dispatchEvent(new Event("change"));
region.requestSubmit();
seen.region = [dialog.querySelector("h2").textContent, dialog.innerText,
  all(dialog, "tbody .open").map((b) => b.title)];
close();
all(simulated, "button").find((b) => b.textContent === "Compare two models").click();
seen.compare = [dialog.innerText, all(dialog, "tbody tr").map((r) => all(r, "th, td").map((td) => td.innerText))];
seen.compareAddress = location.hash;
close();
for (const panel of all(simulated, "details.panel")) { panel.open = true; panel.dispatchEvent(new Event("toggle")); }
seen.panels = all(simulated, "details.panel").map((d) => [d.innerText,
  d.querySelectorAll("svg path[d]:not([fill=none])").length]);
press(simulated, "model");
press(simulated, "model");
seen.address = location.hash;
location.hash = new URLSearchParams({
  "sort.miniature.v1": "encoding.ridge.r.v1 early:descending", find: "e",
  view: "model", in: "miniature.v1", of: simulated.querySelector("tr[data-model]").dataset.model,
});
window.dispatchEvent(new Event("hashchange"));
seen.restored = [names(simulated), document.getElementById("filter").value, dialog.open];
close();
const paper = () => getComputedStyle(document.body).backgroundColor;
seen.theme = [paper(), (document.getElementById("theme").click(), paper())];
seen.title = document.title;
seen.resources = performance.getEntriesByType("resource").map((r) => r.name);
seen.wide = document.documentElement.scrollWidth > innerWidth;
const outcome = document.createElement("pre");
outcome.id = "outcome";
outcome.textContent = JSON.stringify(seen);
document.body.append(outcome);
"""


@dataclass(frozen=True)
class Visit:
    """What a browser saw: the document, console messages, and the addresses it asked the network for."""

    dom: str
    console: list[str]
    requests: list[str]

    @property
    def outcome(self) -> dict[str, Any]:
        text = re.search(r'<pre id="outcome">(.*?)</pre>', self.dom, re.DOTALL)
        assert text is not None, self.console
        return json.loads(html.unescape(text[1]))


def visit(page: Path, scratch: Path, *flags: str) -> Visit:
    log = scratch / "net.json"
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={log}",
        "--enable-logging=stderr", "--virtual-time-budget=5000", *flags, "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    events = (event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"])
    # what the browser asks for itself (the time, its updates) has no page as its initiator
    requests = [event["url"] for event in events if event.get("initiator", "not an origin") != "not an origin"]
    return Visit(done.stdout, console, requests)


def add_script(page: Path, script: str, target: Path) -> Path:
    text = page.read_text(encoding="utf-8")
    assert text.count("</body>") == 1
    target.write_text(text.replace("</body>", f"<script>{{{script}}}</script></body>"), encoding="utf-8")
    return target


def measured(
    model: MiniatureModel, name: str, rows: list[tuple[str, float | None, float]], dirty: bool = True
) -> PropertyResult:
    source = {"kind": "embeddings", "name": model.name, "part": [model.revision], "stimulus_set": "<i>photos</i>"}
    document = {
        "source": source | {"entry_sha256": "e" * 64},
        "property": {"id": name, "version": 1},
        "simulated": False,
        "rows": [{"part": p, "scale": k, "value": v, "n_stimuli": 500, "n_units": 64} for p, k, v in rows],
        "provenance": {"git": {"commit": "0", "dirty": dirty}},
    }
    return PropertyResult.model_validate(document)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board")
    models = [
        MiniatureModel("zebra", 0.5, family="trained", n_parameters=5_000_000),
        MiniatureModel("second", 0.499, family="trained"),
        MiniatureModel("alpha", 0.3, family="random", dirty=True),
        MiniatureModel(HOSTILE, 0.4, lacks=(("cka.linear.debiased", "late"),)),
    ]
    MiniatureBoard(simulated=True).write(root / "results", models)
    MiniatureBoard(id="aa-real").write(root / "results", models[:2])
    for name, rows in (
        ("dimension.curve.mle", [(f"layer{i}|mean", 2.0**k, 10.0 * i - k) for i in (1, 2, 3) for k in (4, 5, 6)]),
        ("spectrum.exponent", [(f"layer{i}|mean", None, 1.0 + i / 8) for i in (1, 2, 3)]),
    ):
        write_property(root / "results", measured(models[0], name, rows))
    return build_leaderboard(root / "results", root / "site").html


@pytest.fixture(scope="module")
def visited(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    scratch = tmp_path_factory.mktemp("browser")
    return visit(add_script(page, ACTIONS, scratch / "page.html"), scratch, "--window-size=1300,900")


def test_it_opens_from_disk_without_errors_or_requests(page: Path, tmp_path: Path) -> None:
    found = visit(page, tmp_path)
    assert found.console == [] and found.requests == []
    assert found.dom.count("<section") == 2


def test_the_check_for_errors_and_requests_can_fail(page: Path, tmp_path: Path) -> None:
    bad = add_script(page, 'fetch("http://example.org/x"); undefined_name();', tmp_path / "bad.html")
    bad.write_text(re.sub(r"<meta http-equiv[^>]*>", "", bad.read_text(encoding="utf-8")), encoding="utf-8")
    found = visit(bad, tmp_path)
    assert any("undefined_name" in line for line in found.console)
    assert any("example.org" in url for url in found.requests)


def test_using_it_raises_nothing(visited: Visit) -> None:
    assert visited.console == [] and visited.requests == [] and visited.outcome["resources"] == []


def test_rows_come_ranked_and_sort_by_any_column(visited: Visit) -> None:
    seen = visited.outcome
    assert seen["first"] == ["zebra", "second", "alpha", HOSTILE]
    assert seen["ranks"] == ["1", "1", "3", "—"]
    assert seen["byName"] == [HOSTILE, "alpha", "second", "zebra"]
    assert (seen["sortState"], seen["focusKept"]) == ("ascending", "model")
    assert seen["byColumn"] == ["zebra", "second", "alpha", HOSTILE]
    assert seen["byColumnTurned"] == ["alpha", "second", "zebra", HOSTILE]  # what is missing stays last


def test_heads_say_ceiling_and_chance_and_cells_say_why_they_are_missing(visited: Visit) -> None:
    seen = visited.outcome
    assert all("ceiling 0.700" in head and "chance 0.000" in head for head in seen["heads"])
    assert [head.split()[0] for head in seen["heads"]] == ["early", "late", "early", "late"]
    assert seen["words"]
    ((text, why),) = seen["missing"]
    assert text == "—" and "constant response" in why


def test_filter_and_metric_groups(visited: Visit) -> None:
    seen = visited.outcome
    assert seen["filtered"] == [["second"], ["second"], "2 of 6 rows shown."]
    assert seen["columns"] == [4, 2, "false", 4]


def test_simulated_and_uncommitted_results_carry_their_marks_on_every_view(visited: Visit) -> None:
    seen = visited.outcome
    assert seen["marks"] == [["SIMULATED"], ["SIMULATED"], ["SIMULATED", "uncommitted code"], ["SIMULATED"]]
    assert seen["realMarks"] == 0
    views = [seen["dialog"][2], seen["region"][1], seen["compare"][0], *(text for text, _ in seen["panels"])]
    assert len(views) == 5 and all("SIMULATED" in view for view in views)


def test_a_model_opens_with_layers_and_provenance(visited: Visit) -> None:
    opened, heading, text, charts = visited.outcome["dialog"]
    assert opened and heading == "zebra" and visited.outcome["closed"]
    for part in ("layer1|mean", "layer3|mean (8 of 10)", "Provenance", "encoding.ridge.r.v1", "rank 1 of 3"):
        assert part in text
    for part in (
        "Properties on <i>photos</i>",
        "500 stimuli",
        "dimension.curve.mle.v1",
        "spectrum.exponent.v1",
        "1.375",
    ):
        assert part in text
    assert "uncommitted code" in text[text.index("Properties on") :]
    assert charts == 3  # scores along the layers, one for each metric, and one property over scales


def test_a_region_lists_every_metric_by_score(visited: Visit) -> None:
    heading, text, models = visited.outcome["region"]
    assert heading == "late" and "encoding.ridge.r.v1" in text and "cka.linear.debiased.v1" in text
    assert models == ["zebra", "second", HOSTILE, "alpha"]


def test_two_models_are_tested_in_pairs_as_the_ranks_are(visited: Visit, page: Path) -> None:
    text, rows = visited.outcome["compare"]
    assert "zebra" in text and "second" in text and len(rows) == 1 + 1 + 4
    simulated = next(s for s in collect(page.parents[1] / "results") if s.simulated)
    table = make_table(simulated)
    zebra, second = (line.means[table.primary][1] for line in table.lines[:2])
    expected = compare_pairs([zebra, second])
    half = float(special.stdtrit(29, 0.975) * expected.se[0, 1])
    difference = float(expected.difference[0, 1])
    ends = [f"{difference + sign * half:.3f}".replace("-", "−") for sign in (-1, 1)]
    assert rows[0][4:7] == [f"{difference:.3f}", "\u2009–\u2009".join(ends), f"{expected.p[0, 1]:.3f}"]


def test_the_metrics_and_the_properties_are_drawn_over_models(visited: Visit) -> None:
    (agree, dots), (against, sized) = visited.outcome["panels"]
    assert agree.startswith("Do the metrics agree?") and "1.00" in agree and dots == 3 + 2  # with its legend
    assert (
        against.startswith("Properties against alignment")
        and "n_parameters" in against
        and "spectrum.exponent of the last layer on <i>photos</i>" in against
    )
    assert sized == 1 + 2


def test_the_address_keeps_what_is_seen(visited: Visit) -> None:
    seen = visited.outcome
    assert "view=compare" in seen["compareAddress"] and "with=second" in seen["compareAddress"]
    assert seen["address"] == "#sort.miniature.v1=Model%3Adescending"
    names, needle, opened = seen["restored"]
    assert (names, needle, opened) == (["zebra", "second", HOSTILE], "e", True)


def test_names_stay_text_and_colours_turn(visited: Visit) -> None:
    seen = visited.outcome
    assert seen["title"] == "Alignment with visual cortex"  # no handler of a name has run
    light, dark = seen["theme"]
    assert light == "rgb(255, 255, 255)" and dark != light


def test_a_phone_scrolls_the_table_and_not_the_page(page: Path, tmp_path: Path) -> None:
    script = """
    const node = document.createElement("pre");
    node.id = "outcome";
    const scroll = document.querySelector(".scroll");
    node.textContent = JSON.stringify({
      inner: innerWidth,
      page: document.documentElement.scrollWidth,
      table: scroll.scrollWidth > scroll.clientWidth,
      name: document.querySelector(".name").getBoundingClientRect().right,
    });
    document.body.append(node);
    """
    seen = visit(add_script(page, script, tmp_path / "phone.html"), tmp_path, "--window-size=380,800").outcome
    assert seen["inner"] <= 500 and seen["page"] <= seen["inner"]
    assert seen["table"] and seen["name"] < 0.6 * seen["inner"]
