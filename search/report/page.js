"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
const SHOWN = 100; // rows of the table of trials, until more are asked for
const TOLD = 10; // hyperparameters of a trial that is pointed at: the most important that tell trials apart
const LINES = 200; // of the parallel coordinates

// ---- trials ---------------------------------------------------------------------------------
const { columns, hyperparameters, rows } = data.trials;
const trials = rows.map((row, index) => {
  const trial = Object.fromEntries(columns.map((name, at) => [name, row[at]]));
  const values = hyperparameters.map((name, at) => [name, row[columns.length + at]]);
  trial.hyperparameters = Object.fromEntries(values.filter(([, value]) => value !== null));
  trial.figure = data.figures[index];
  trial.reached = trial.outcome === "reached" ? 1 : 0;
  trial.text = values.filter(([, value]) => value !== null).map((pair) => pair.join(" ")).join(", ");
  const told = data.told.filter((name) => name in trial.hyperparameters).slice(0, TOLD);
  trial.tip = {
    title: `trial ${trial.trial}: ${number(trial.parameter_count)} parameters, ` +
      (trial.figure || trial.outcome),
    ...(trial.reason ? { why: trial.reason } : {}),
    ...Object.fromEntries(told.map((name) => [name, trial.hyperparameters[name]])),
  };
  return trial;
});
const byNumber = new Map(trials.map((trial) => [trial.trial, trial]));

function number(value) {
  return typeof value === "number" ? value.toLocaleString("en-US") : value;
}

// ---- a trial's run in MLflow ----------------------------------------------------------------
// MLflow's artifact viewer shows this page in a sandbox that opens no window: there the address is
// shown instead, to be copied.
const framed = window.parent !== window;
const server = data.server || address();

function address() {
  const blob = location.href.match(/^blob:(https?:\/\/[^/]+)/);
  if (blob) return blob[1];
  return location.protocol.startsWith("http") ? location.origin : "http://127.0.0.1:5000";
}

function link(trial) {
  return `${server}/#/experiments/${data.experiment}/runs/${trial.run_id}?workflowType=machine_learning`;
}

function visit(trial) {
  if (trial.run_id && !framed) window.open(link(trial), "_blank", "noopener");
  else describe(trial);
}

function describe(trial) {
  const dialog = document.getElementById("run");
  document.getElementById("run-title").textContent = trial.tip.title;
  const place = trial.run_id ? "Its run in MLflow; open the address in a new tab:" : "It has no run in MLflow.";
  document.getElementById("run-place").textContent = place;
  const field = document.getElementById("run-address");
  field.hidden = !trial.run_id;
  field.value = link(trial);
  const facts = document.getElementById("run-facts");
  facts.replaceChildren();
  for (const [name, value] of Object.entries({ outcome: trial.outcome, why: trial.reason, ...trial.hyperparameters })) {
    facts.append(element("dt", name), element("dd", String(value)));
  }
  dialog.showModal();
  if (trial.run_id) field.select();
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[data-trial]");
  const trial = anchor && byNumber.get(Number(anchor.dataset.trial));
  if (trial && (framed || !trial.run_id)) {
    event.preventDefault();
    describe(trial);
  }
});

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function linkTo(anchor) {
  const trial = byNumber.get(Number(anchor.dataset.trial));
  if (!trial || !trial.run_id) return;
  Object.assign(anchor, { href: link(trial), target: "_blank", rel: "noopener" });
}

// ---- tables ---------------------------------------------------------------------------------
function compare(a, b) {
  if (a === null || a === undefined || a === "") return 1;
  if (b === null || b === undefined || b === "") return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function headings(row, names, numeric, sort) {
  const cells = names.map((name, at) => {
    const cell = element("th", "");
    cell.scope = "col";
    if (numeric.includes(at)) cell.className = "number";
    const button = element("button", name);
    button.type = "button";
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      cells.forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(at, down ? -1 : 1);
    });
    cell.append(button);
    return cell;
  });
  row.replaceChildren(...cells);
}

function sortable(table) {
  const row = table.tHead.rows[0];
  const body = table.tBodies[0];
  const value = (line, at) => {
    const cell = line.cells[at];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const cells = [...row.cells];
  const numeric = cells.map((cell, at) => (cell.className === "number" ? at : -1));
  headings(row, cells.map((cell) => cell.textContent), numeric, (at, way) => {
    body.append(...[...body.rows].sort((a, b) => way * compare(value(a, at), value(b, at))));
  });
}

function trialsTable() {
  const shown = ["trial", "outcome", "parameter_count", "score", "epochs", "seconds"];
  const table = document.getElementById("trials-table");
  const filter = document.getElementById("filter");
  const more = document.getElementById("more");
  let order = trials.slice();
  let limit = SHOWN;

  function draw() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = order.filter((trial) => {
      const text = `${trial.trial} ${trial.outcome} ${trial.reason} ${trial.text}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    table.tBodies[0].replaceChildren(...found.slice(0, limit).map(line));
    document.getElementById("matches").textContent = `${number(found.length)} of ${number(trials.length)} trials`;
    more.hidden = found.length <= limit;
  }

  function line(trial) {
    const made = document.createElement("tr");
    const anchor = element("a", trial.trial);
    anchor.dataset.trial = trial.trial;
    anchor.href = "#trials";
    linkTo(anchor);
    const first = element("td", "", "number");
    first.append(anchor);
    made.append(first);
    for (const name of shown.slice(1)) {
      const value = trial[name];
      const text = name === "score" ? trial.figure : number(value);
      made.append(element("td", text, typeof value === "number" ? "number" : ""));
    }
    const varied = Object.entries(trial.hyperparameters).filter(([name]) => data.told.includes(name));
    const why = trial.outcome === "failed" && trial.reason ? [trial.reason] : [];
    const values = varied.map((pair) => pair.join(" ")).join(", ");
    made.append(element("td", [...why, values].join("; "), "quiet"));
    return made;
  }

  headings(table.tHead.insertRow(), ["trial", "outcome", "parameters", "score", "epochs", "seconds", "hyperparameters"], [0, 2, 3, 4, 5], (at, way) => {
    const name = shown[at] || "text";
    order = trials.slice().sort((a, b) => way * compare(a[name], b[name]));
    draw();
  });
  filter.addEventListener("input", draw);
  more.addEventListener("click", () => { limit = Infinity; draw(); });
  draw();
}

// ---- charts ---------------------------------------------------------------------------------
function scored() {
  return trials.filter((trial) => trial.score !== null);
}

function placed(axis, trial) {
  const own = axis.name in trial.hyperparameters; // it may be called as a column is
  const value = own ? trial.hyperparameters[axis.name] : trial[axis.name];
  if (value === undefined || value === null) return -0.1;
  if (axis.choices) return (axis.choices.indexOf(String(value)) + 0.5) / axis.choices.length;
  const [low, high, here] = [axis.low, axis.high, value].map((each) => (axis.log ? Math.log(each) : each));
  return high > low ? (here - low) / (high - low) : 0.5;
}

function parallelTables() {
  const worth = (trial) => trial.reached * 1e9 + data.sign * trial.score;
  const lines = scored().sort((a, b) => worth(b) - worth(a)).slice(0, LINES);
  const points = lines.flatMap((trial) => data.axes.map((axis, index) => ({
    trial: trial.trial, outcome: trial.outcome, tip: trial.tip, index, axis: axis.title, place: placed(axis, trial),
  })));
  const text = (axis, end) => {
    if (axis.choices) return axis.choices.at(end);
    const number = axis[end ? "high" : "low"];
    return Number.isInteger(number) ? number.toLocaleString("en") : Number(number.toPrecision(3));
  };
  const axes = data.axes.map((axis) => ({ axis: axis.title, low: String(text(axis, 0)), high: String(text(axis, -1)), bottom: 0, top: 1 }));
  return { parallel: points, axes };
}

function sliceTable(name) {
  return scored().filter((trial) => name in trial.hyperparameters).map((trial) => ({
    ...trial, value: trial.hyperparameters[name], jitter: (trial.trial * 0.618034) % 1,
  }));
}

const tables = { ...data.tables, trials: scored() };

function specOf(name) {
  if (name === "slice") {
    const chosen = document.getElementById("slices-select").value;
    return { ...data.charts[data.slices[chosen]], datasets: { slice: sliceTable(chosen) } };
  }
  if (name === "parallel") Object.assign(tables, parallelTables());
  return { ...data.charts[name], datasets: tables };
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    labelColor: colour("--quiet"), titleColor: colour("--text"), gridColor: colour("--line"), gridOpacity: 0.6,
    domainColor: colour("--line"), tickColor: colour("--line"), titleFontWeight: "normal", labelLimit: 130,
  };
  const outcomes = dark.matches
    ? ["#58a6ff", "#8b949e", "#e3b341", "#ff7b72", "#6e7681"]
    : ["#0969da", "#8c959f", "#9a6700", "#cf222e", "#d0d7de"];
  const shades = dark.matches ? ["#161b22", "#1f6feb"] : ["#f6f8fa", "#0969da"];
  return {
    background: "transparent", font: "system-ui, sans-serif", axis, view: { stroke: null },
    legend: { labelColor: colour("--text"), titleColor: colour("--text"), symbolOpacity: 1 },
    title: { color: colour("--text"), fontWeight: "normal" },
    line: { color: colour("--accent") }, point: { color: colour("--accent") }, bar: { color: colour("--accent") },
    rule: { color: colour("--quiet") }, text: { color: colour("--quiet") },
    range: { category: outcomes, heatmap: shades, ramp: shades },
  };
}

async function draw(place) {
  place.dataset.drawn = "yes";
  const spec = specOf(place.dataset.chart);
  const options = { actions: false, renderer: "svg", config: theme(), tooltip: { theme: dark.matches ? "dark" : "light" } };
  spec.description = place.closest("figure").querySelector("figcaption").textContent;
  const { view } = await vegaEmbed(place, spec, options);
  view.addEventListener("click", (event, item) => {
    const datum = Array.isArray(item?.datum) ? item.datum[0] : item?.datum;
    const trial = datum && byNumber.get(datum.trial);
    if (trial) visit(trial);
  });
}

function charts() {
  const places = [...document.querySelectorAll("[data-chart]")];
  const watch = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !target.dataset.drawn) draw(target);
    }
  }, { rootMargin: "300px" });
  places.forEach((place) => watch.observe(place));
  const idle = window.requestIdleCallback || ((then) => setTimeout(then, 200));
  const others = () => { // so that all are there when the page is printed
    const place = places.find((each) => !each.dataset.drawn);
    if (place) draw(place).then(() => idle(others));
  };
  window.addEventListener("load", () => idle(others));
  dark.addEventListener("change", () => places.filter((place) => place.dataset.drawn).forEach(draw));
}

function choices() {
  const select = document.getElementById("slices-select");
  if (!select) return;
  select.append(...Object.keys(data.slices).map((name) => new Option(name)));
  select.addEventListener("change", () => draw(document.querySelector("[data-chart=slice]")));
}

choices();
document.querySelectorAll("a[data-trial]").forEach(linkTo);
document.querySelectorAll("table.sortable").forEach(sortable);
trialsTable();
charts();
