"use strict";
// An architecture drawn as a graph: nodes on a line, an operation on each edge, longer edges as arcs.

const SHORT = { nor_conv_3x3: "3×3", nor_conv_1x1: "1×1", skip_connect: "skip", avg_pool_3x3: "pool" };
const LONG = { nor_conv_3x3: "3×3 convolution", nor_conv_1x1: "1×1 convolution", skip_connect: "skip", avg_pool_3x3: "3×3 average pooling", none: "no edge" };
const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

// Positions like 0->2 are edges; those of a space that names layers follow each other.
const EDGES = data.space.positions.map((position, i) => {
  const ends = /^(\d+)->(\d+)$/.exec(position);
  return ends ? [Number(ends[1]), Number(ends[2])] : [i, i + 1];
});
const LAST = Math.max(...EDGES.flat());

function operations(genotype) {
  return EDGES.map(([from, to], i) => ({ from, to, op: data.space.choices[i][DIGITS.indexOf(genotype[i])] }));
}

// An edge is alive when data comes to it from the input and goes on from it to the output.
function alive(edges) {
  const real = edges.filter((edge) => edge.op !== "none");
  const reach = (start, from, to) => {
    const found = new Set([start]);
    for (let before = 0; before < found.size; ) {
      before = found.size;
      for (const edge of real) if (found.has(edge[from])) found.add(edge[to]);
    }
    return found;
  };
  const fed = reach(0, "from", "to");
  const used = reach(LAST, "to", "from");
  return (edge) => edge.op !== "none" && fed.has(edge.from) && used.has(edge.to);
}

function describe(genotype) {
  return operations(genotype).filter(({ op }) => op !== "none").map(({ from, to, op }) => `${from} to ${to}: ${LONG[op] ?? op}`).join(", ") || "no edge at all";
}

// parents: genotypes; an edge that none of them has is marked as changed.
function drawCell(genotype, { width = 72, height = 34, labels = false, parents = [] } = {}) {
  const margin = labels ? 22 : 5;
  const step = (width - 2 * margin) / LAST;
  const middle = height * (labels ? 0.62 : 0.6);
  const x = (node) => margin + node * step;
  const edges = operations(genotype);
  const lives = alive(edges);
  const others = parents.map(operations);
  const drawn = edges.map((edge, i) => {
    const span = edge.to - edge.from;
    const side = edge.from % 2 ? 1 : -1;
    const room = side < 0 ? middle - (labels ? 12 : 3) : height - middle - (labels ? 10 : 3);
    const rise = span === 1 ? 0 : side * room * (side < 0 ? (span - 1) / Math.max(1, LAST - 1) : 1);
    const centre = (x(edge.from) + x(edge.to)) / 2;
    const line = `M${x(edge.from)},${middle}Q${centre},${middle + 2 * rise} ${x(edge.to)},${middle}`;
    const changed = others.length > 0 && others.every((other) => other[i].op !== edge.op);
    const dead = edge.op !== "none" && !lives(edge);
    return makeSvg(
      "g",
      { class: `edge op-${edge.op}${dead ? " dead" : ""}${changed ? " changed" : ""}`, "data-from": edge.from, "data-to": edge.to, "data-op": edge.op },
      makeSvg("path", { d: line }),
      labels && edge.op !== "none" ? makeSvg("text", { x: centre, y: middle + rise + (rise ? 4 : -6) }, SHORT[edge.op] ?? edge.op) : null,
    );
  });
  const faint = (edge) => (edge.dataset.op === "none" ? 0 : 1);
  const nodes = Array.from({ length: LAST + 1 }, (_, node) => makeSvg("circle", { cx: x(node), cy: middle, r: labels ? 4.5 : 2.4 }));
  const ends = labels ? [["in", 0], ["out", LAST]].map(([text, node]) => makeSvg("text", { class: "end", x: x(node), y: middle + 20 }, text)) : [];
  return makeSvg(
    "svg",
    { class: "cell", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Cell: ${describe(genotype)}` },
    drawn.sort((a, b) => faint(a) - faint(b)),
    nodes,
    ends,
  );
}

function drawOperations() {
  const names = [...new Set(data.space.choices.flat())].filter((name) => name !== "none");
  at("operations").replaceChildren(
    "In drawn cells, from input to output:",
    ...names.map((name) => {
      const stroke = makeSvg("g", { class: `op-${name}` }, makeSvg("path", { d: "M1,6H27" }));
      return make("span", { class: "item" }, makeSvg("svg", { class: "cell", width: 28, height: 12, "aria-hidden": "true" }, stroke), LONG[name] ?? name);
    }),
    make("span", { class: "item" }, "dashed: computes nothing"),
  );
}
