"use strict";
// The main figure: every network by a cost and the score, or by both costs, with a strip below to brush a range of cost.

let field; // the drawn plot, with its scales
let brush;

function layers() {
  const niches = data.coverage.niches.map((niche, i) => ({
    id: `niche-${i}`,
    text: `niche ${i} (${niche.members})`,
    colour: nicheColour(i),
    title: `${millions(niche.low)} to ${millions(niche.high)} parameters`,
  }));
  return [
    { id: "front", text: `front (${onFront.length}${timed.size ? `, ${onFront.filter((i) => timed.has(i)).length} timed` : ""})`, colour: "var(--ink)" },
    { id: "near", text: `within error of it (${nearFront.length})`, colour: "none;border:1px solid var(--ink)" },
    ...(data.exact ? [{ id: "exact", text: "the best there is", colour: "none;border:2px dashed var(--quiet)", title: "The front of all architectures under the same scores and costs" }] : []),
    ...niches,
    ...data.baselines.map((baseline, i) => ({ id: `baseline-${i}`, text: baseline.name, colour: baselineColour(i), mark: "×" })),
  ];
}

// Whether a member of the front is drawn filled: all are, unless some are timed and this one is only modelled.
function isKnown(i) {
  return !timed.size || timed.has(i);
}

function baselineColour(i) {
  return ["var(--other)", "var(--quiet)"][i % 2];
}

function drawLayers() {
  at("layers").replaceChildren(
    ...layers().map(({ id, text, colour, title }) =>
      button("", (event) => {
        if (!state.hidden.delete(id)) state.hidden.add(id);
        event.currentTarget.setAttribute("aria-pressed", !state.hidden.has(id));
        showLayers();
      }, { "aria-pressed": !state.hidden.has(id), "data-layer": id, title }),
    ),
  );
  layers().forEach(({ text, colour, mark }, i) => {
    const sign = mark ? make("span", { style: `color:${colour}`, "aria-hidden": "true" }, mark) : swatch(colour);
    at("layers").children[i].append(sign, text);
  });
}

function showLayers() {
  for (const { id } of layers()) {
    for (const group of field.querySelectorAll(`.layer-${id}`)) group.style.display = state.hidden.has(id) ? "none" : "";
  }
}

function drawFront() {
  const host = at("front-plot");
  const width = Math.max(280, host.clientWidth);
  const height = Math.round(Math.min(560, Math.max(300, width * 0.56)));
  const margins = { marginLeft: 46, marginRight: 14, marginTop: 26, marginBottom: 42 };
  const [across, up] = state.pair;
  const byScore = up === objectives.length;
  const limits = state.pair.map((axis) => objectives[axis]?.limit ?? null);
  const members = d3.range(M.score.length);
  const span = (axis, limit) => d3.extent([...members.map((i) => value(axis, i)), ...(data.exact ?? []).map((p) => valueOf(axis, p)), ...(limit === null ? [] : [limit])]);
  const steps = (points, options) => Plot.line(points, { x: (p) => p[0], y: (p) => p[1], curve: "step-after", ...options });
  const dots = (of, options) => Plot.dot(of, { x: (i) => value(across, i), y: (i) => value(up, i), ...options });
  const place = (i) => [value(across, i), value(up, i)];
  const best = data.exact?.map((p) => [valueOf(across, p), valueOf(up, p)]);
  field = Plot.plot({
    width,
    height,
    ...margins,
    style: { fontSize: "12px", background: "none" },
    ariaLabel: byScore ? "Networks by cost and score" : "Networks by both costs",
    ariaDescription: `${data.answer} The table below has the same networks.`,
    x: { domain: span(across, limits[0]), nice: true, label: `${axisLabel(objectives[across])} →`, grid: true },
    y: byScore ? { label: `↑ ${SCORE} (rank in the space)`, grid: true } : { domain: span(up, limits[1]), nice: true, label: `↑ ${axisLabel(objectives[up])}, lower is better`, grid: true },
    marks: [
      limits[0] === null ? null : Plot.ruleX([limits[0]], { stroke: "var(--niche-5)", strokeDasharray: "2 3" }),
      limits[1] === null ? null : Plot.ruleY([limits[1]], { stroke: "var(--niche-5)", strokeDasharray: "2 3" }),
      ...data.baselines.map((baseline, i) =>
        Plot.dot(baseline.front, { x: (p) => valueOf(across, p), y: (p) => valueOf(up, p), symbol: "times", r: 3.2, stroke: baselineColour(i), strokeOpacity: 0.8, className: `layer-baseline-${i}` }),
      ),
      ...data.coverage.niches.map((_, niche) =>
        dots(members.filter((i) => M.niche[i] === niche), { r: 2.6, fill: nicheColour(niche), fillOpacity: 0.7, symbol: niche < 7 ? "circle" : "square", className: `layer-niche-${niche}` }),
      ),
      best ? steps(stairs(best, byScore), { stroke: "var(--quiet)", strokeDasharray: "4 3", strokeWidth: 1.4, className: "layer-exact" }) : null,
      dots(nearFront, { r: 4.6, stroke: "currentColor", strokeWidth: 0.7, className: "layer-near" }),
      steps(stairs(onFront.map(place), byScore), { stroke: "currentColor", strokeWidth: 1.4, className: "layer-front" }),
      dots(onFront.filter(isKnown), { r: 3.8, fill: "currentColor", stroke: "var(--paper)", strokeWidth: 0.8, className: "layer-front" }),
      dots(onFront.filter((i) => !isKnown(i)), { r: 3.4, fill: "var(--paper)", stroke: "currentColor", strokeWidth: 1.2, className: "layer-front" }),
    ],
  });
  field.classList.add("field");
  field.append(
    makeSvg("g", { class: "veils" }, makeSvg("rect", { class: "veil" }), makeSvg("rect", { class: "veil" })),
    makeSvg("circle", { class: "spot", r: 8, visibility: "hidden" }),
  );
  // What is to be hit is as large as the figure.
  field.addEventListener("pointermove", (event) => event.pointerType === "mouse" && hover(event));
  field.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && showTip(null));
  field.addEventListener("click", (event) => {
    const before = state.chosen;
    const found = hover(event);
    // The first tap on a touch screen does what hovering does; the next one copies, as a click does.
    if (found !== null && (event.pointerType !== "touch" || found === before)) copy(M.architecture[found]);
  });
  host.replaceChildren(field, drawStrip(width, margins));
  showLayers();
  showRange();
}

// Of points those that are best in the two axes alone, by rising first; higher is better for a score, lower for a cost.
function stairs(points, byScore) {
  const better = (a, b) => (byScore ? a > b : a < b);
  const kept = [];
  for (const point of points.toSorted((a, b) => a[0] - b[0] || (byScore ? b[1] - a[1] : a[1] - b[1]))) {
    if (!kept.length || better(point[1], kept.at(-1)[1])) kept.push(point);
  }
  return kept;
}

// Which two of costs and score the figure is of, where there is a choice.
function drawPairs() {
  const host = at("pairs");
  host.hidden = objectives.length < 2;
  if (host.hidden) return;
  const pairs = [...objectives.map((_, axis) => [axis, objectives.length]), [0, 1]];
  const name = (axis) => objectives[axis]?.name ?? "score";
  host.replaceChildren(
    ...pairs.map((pair) =>
      button(pair.map(name).join(" and "), () => {
        state.pair = pair;
        state.range = null;
        drawPairs();
        host.children[pairs.indexOf(pair)].focus(); // the button that was pressed is another now
        drawFront();
        drawAccuracy();
        drawCoverage();
        drawTable();
      }, { "aria-pressed": String(pair) === String(state.pair) }),
    ),
  );
  document.querySelector(".unit").textContent = objectives[state.pair[0]].unit;
}

function drawStrip(width, { marginLeft, marginRight }) {
  const scale = field.scale("x");
  const height = 44;
  const { name } = objectives[state.pair[0]];
  const ticks = M.costs[state.pair[0]].map((value) => `M${scale.apply(value).toFixed(1)},8v${height - 24}`).join("");
  const strip = makeSvg(
    "svg",
    { class: "strip", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Drag here to choose a range of ${name}; the two fields below do the same` },
    makeSvg("path", { d: ticks, stroke: "currentColor", "stroke-opacity": 0.25, "stroke-width": 1 }),
    makeSvg("text", { x: marginLeft, y: height - 1, fill: "var(--quiet)", "font-size": 12 }, `drag to choose a range of ${name}`),
  );
  brush = d3
    .brushX()
    .extent([[marginLeft, 4], [width - marginRight, height - 14]])
    .on("brush end", ({ selection, sourceEvent }) => {
      if (sourceEvent) setRange(selection && selection.map((pixel) => Number(scale.invert(pixel).toPrecision(4))));
    });
  d3.select(strip).append("g").attr("class", "brushing").call(brush);
  return strip;
}

function setRange(range) {
  state.range = range;
  state.room = 50;
  showRange();
  drawTable();
}

function inRange(member) {
  const amount = value(state.pair[0], member);
  return state.range === null || (amount >= state.range[0] && amount <= state.range[1]);
}

function showRange() {
  const scale = field.scale("x");
  const [left, right] = scale.range;
  const [low, high] = (state.range ?? scale.domain).map((value) => Math.min(right, Math.max(left, scale.apply(value))));
  const [before, after] = field.querySelectorAll(".veil");
  const [bottom, top] = field.scale("y").range;
  fill(before, { x: left - 6, y: top - 6, width: state.range ? Math.max(0, low - left + 4) : 0, height: bottom - top + 8 }, []);
  fill(after, { x: high + 2, y: top - 6, width: state.range ? Math.max(0, right - high + 8) : 0, height: bottom - top + 8 }, []);
  d3.select(".brushing").call(brush.move, state.range ? [low, Math.max(high, low + 1)] : null);
  at("low").value = state.range ? state.range[0] : "";
  at("high").value = state.range ? state.range[1] : "";
}

function readRange() {
  const domain = field.scale("x").domain;
  const ends = ["low", "high"].map((id, i) => (at(id).value === "" ? domain[i] : Number(at(id).value)));
  setRange(at("low").value === "" && at("high").value === "" ? null : d3.extent(ends));
}

// The member nearest to the pointer, within reach, among those that are drawn; where one of the front lies over others,
// that one.
function hover(event) {
  const [x, y] = d3.pointer(event, field);
  const [xs, ys] = [field.scale("x"), field.scale("y")];
  const special = new Set([...(state.hidden.has("front") ? [] : onFront), ...(state.hidden.has("near") ? [] : nearFront)]);
  const over = new Set(onFront);
  let found = null;
  let best = 32 ** 2;
  for (let i = 0; i < M.score.length; i++) {
    if (!inRange(i) || (state.hidden.has(`niche-${M.niche[i]}`) && !special.has(i))) continue;
    const closer = over.has(i) ? 2 ** 2 : 0; // pixels
    const away = (xs.apply(value(state.pair[0], i)) - x) ** 2 + (ys.apply(value(state.pair[1], i)) - y) ** 2 - closer;
    if (away < best) [found, best] = [i, away];
  }
  showTip(found);
  return found;
}

function showTip(member, near = null) {
  state.chosen = member;
  const spot = field.querySelector(".spot");
  const tip = at("tip");
  tip.hidden = member === null;
  spot.setAttribute("visibility", member === null ? "hidden" : "visible");
  if (member === null) return;
  const [x, y] = ["x", "y"].map((name, i) => field.scale(name).apply(value(state.pair[i], member)));
  fill(spot, { cx: x, cy: y }, []);
  if (near) {
    tip.hidden = true; // who reads the table has all this in the row
    return;
  }
  const errors = costErrors(member);
  const facts = [
    ["score", score(M.score[member])],
    ...objectives.map(({ name }, axis) => [name, `${cost(axis, M.costs[axis][member])}, ${errors[axis][1]}`]),
    ["source", [...new Set(errors.map(([source]) => source))].join(", ")],
    ["niche", `${M.niche[member]}, ${millions(M.params[member])} parameters`],
    ["rank", M.rank[member] === 1 ? "1, on the front" : `${M.rank[member]} of ${d3.max(M.rank)}`],
    ["found", `as number ${member + 1}, in round ${M.round[member]}`],
    ...accuracyFacts(member),
  ];
  tip.replaceChildren(
    drawNetwork(M.genotype[member], { width: 270, height: 118, labels: true }),
    make("code", {}, architecture(member)),
    make("dl", {}, facts.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    make("p", { class: "hint" }, matchMedia("(hover: none)").matches ? "Tap it again to copy the architecture" : "Click to copy the architecture"),
  );
  const box = field.getBoundingClientRect();
  const left = box.left + x + (x > box.width / 2 ? -330 : 20);
  const top = Math.max(8, Math.min(box.top + y - 60, innerHeight - tip.offsetHeight - 8));
  tip.classList.toggle("high", box.top + y > innerHeight / 2); // on a phone, where it would cover what it tells of
  tip.style.left = `${Math.max(8, left) + scrollX}px`;
  tip.style.top = `${top + scrollY}px`;
}

function accuracyFacts(member) {
  const point = accuracyOf.get(member);
  return point?.accuracy == null ? [] : [[data.truth.grade === "inherited" ? "inherited accuracy" : "accuracy", accuracyText(point)]];
}

function accuracyText({ accuracy, accuracy_error: error }) {
  return error == null ? `${accuracy.toFixed(2)} %` : `about ${accuracy.toFixed(1)} %, an estimate ± ${error.toFixed(1)}`;
}

function saveFigure(kind) {
  const image = field.cloneNode(true);
  for (const unseen of image.querySelectorAll('[style*="display: none"], .veils, .spot')) unseen.remove();
  const style = getComputedStyle(document.documentElement);
  image.setAttribute("xmlns", SVG);
  image.setAttribute("style", `color:${style.getPropertyValue("--ink")};font:12px sans-serif;background:${style.getPropertyValue("--paper")}`);
  const text = new XMLSerializer().serializeToString(image).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name));
  const name = `${data.search.search_id}.${kind}`;
  const save = (blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  if (kind === "svg") return save(new Blob([text], { type: "image/svg+xml" }));
  const picture = new Image();
  picture.onload = () => {
    const canvas = make("canvas", { width: 2 * picture.width, height: 2 * picture.height });
    const context = canvas.getContext("2d");
    context.fillStyle = style.getPropertyValue("--paper");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob(save, "image/png");
  };
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}
