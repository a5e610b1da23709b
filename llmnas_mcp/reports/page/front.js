"use strict";
// The main figure: every network by cost and score, with a strip below it to brush a range of cost.

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
    { id: "front", text: `front (${onFront.length})`, colour: "var(--ink)" },
    { id: "near", text: `within error of it (${nearFront.length})`, colour: "none;border:1px solid var(--ink)" },
    ...(data.exact ? [{ id: "exact", text: "the best there is", colour: "none;border:2px dashed var(--quiet)", title: "The front of all architectures under the same scores and costs" }] : []),
    ...niches,
    ...data.baselines.map((baseline, i) => ({ id: `baseline-${i}`, text: baseline.name, colour: baselineColour(i), mark: "×" })),
  ];
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
  const limit = data.search.max_cost;
  const x = { domain: d3.extent([...costs, ...(limit === null ? [] : [limit])]), nice: true, label: `${data.search.objective} on ${data.search.device_title} (${unit}) →` };
  const members = d3.range(M.cost.length);
  const steps = (points, options) => Plot.line(points, { x: (p) => p[0], y: (p) => p[1], curve: "step-after", ...options });
  const dots = (of, options) => Plot.dot(of, { x: (i) => M.cost[i], y: (i) => M.score[i], ...options });
  const place = (i) => [M.cost[i], M.score[i]];
  field = Plot.plot({
    width,
    height,
    ...margins,
    style: { fontSize: "12px", background: "none" },
    ariaLabel: "Networks by cost and score",
    ariaDescription: `${data.answer} The table below has the same networks.`,
    x: { ...x, grid: true },
    y: { label: `↑ ${SCORE} (rank in the space)`, grid: true },
    marks: [
      limit === null ? null : Plot.ruleX([limit], { stroke: "var(--niche-5)", strokeDasharray: "2 3" }),
      ...data.baselines.map((baseline, i) =>
        Plot.dot(baseline.front, { x: (p) => p[1], y: (p) => p[0], symbol: "times", r: 3.2, stroke: baselineColour(i), strokeOpacity: 0.8, className: `layer-baseline-${i}` }),
      ),
      ...data.coverage.niches.map((_, niche) =>
        dots(members.filter((i) => M.niche[i] === niche), { r: 2.6, fill: nicheColour(niche), fillOpacity: 0.7, symbol: niche < 7 ? "circle" : "square", className: `layer-niche-${niche}` }),
      ),
      data.exact ? steps(data.exact, { stroke: "var(--quiet)", strokeDasharray: "4 3", strokeWidth: 1.4, className: "layer-exact" }) : null,
      dots(nearFront, { r: 4.6, stroke: "currentColor", strokeWidth: 0.7, className: "layer-near" }),
      steps(onFront.map(place), { stroke: "currentColor", strokeWidth: 1.4, className: "layer-front" }),
      dots(onFront, { r: 3.8, fill: "currentColor", stroke: "var(--paper)", strokeWidth: 0.8, className: "layer-front" }),
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

function drawStrip(width, { marginLeft, marginRight }) {
  const scale = field.scale("x");
  const height = 44;
  const ticks = M.cost.map((value) => `M${scale.apply(value).toFixed(1)},8v${height - 24}`).join("");
  const strip = makeSvg(
    "svg",
    { class: "strip", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Drag here to choose a range of ${data.search.objective}; the two fields below do the same` },
    makeSvg("path", { d: ticks, stroke: "currentColor", "stroke-opacity": 0.25, "stroke-width": 1 }),
    makeSvg("text", { x: marginLeft, y: height - 1, fill: "var(--quiet)", "font-size": 12 }, `drag to choose a range of ${data.search.objective}`),
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
  return state.range === null || (M.cost[member] >= state.range[0] && M.cost[member] <= state.range[1]);
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
  for (let i = 0; i < M.cost.length; i++) {
    if (!inRange(i) || (state.hidden.has(`niche-${M.niche[i]}`) && !special.has(i))) continue;
    const closer = over.has(i) ? 2 ** 2 : 0; // pixels
    const away = (xs.apply(M.cost[i]) - x) ** 2 + (ys.apply(M.score[i]) - y) ** 2 - closer;
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
  const [x, y] = [field.scale("x").apply(M.cost[member]), field.scale("y").apply(M.score[member])];
  fill(spot, { cx: x, cy: y }, []);
  if (near) {
    tip.hidden = true; // who reads the table has all this in the row
    return;
  }
  const [source, error] = costError(member);
  const facts = [
    ["score", score(M.score[member])],
    [data.search.objective, `${cost(M.cost[member])}, ${error}`],
    ["source", source],
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
  return point?.accuracy == null ? [] : [["accuracy", accuracyText(point)]];
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
