"use strict";
// A transformer drawn as a column for each layer: its heads stacked above a line, its MLP hanging below it as deep as its
// ratio. So the depth is how many columns there are, and columns are as broad as the network is wide.

const PLACES = new Map(data.space.positions.map((position, i) => [position, i]));
const DEPTHS = data.space.choices[PLACES.get("depth")] ?? [];
const TRANSFORMER = ["depth", "embed_dim", "heads.0", "mlp_ratio.0"].every((position) => PLACES.has(position));
const HEADS = d3.schemeTableau10[0];
const MLP = d3.schemeTableau10[1];

// What a genotype says: depth, width, and of each layer heads and ratio, with the places these stand at.
function transformerOf(genotype) {
  const read = (position) => data.space.choices[PLACES.get(position)][DIGITS.indexOf(genotype[PLACES.get(position)])];
  const layers = d3.range(Number(read("depth"))).map((i) => ({ heads: Number(read(`heads.${i}`)), ratio: Number(read(`mlp_ratio.${i}`)), places: [PLACES.get(`heads.${i}`), PLACES.get(`mlp_ratio.${i}`)] }));
  return { width: Number(read("embed_dim")), layers };
}

function mostOf(position) {
  return d3.max(data.space.choices[PLACES.get(position)], Number);
}

// parents: genotypes; a layer with heads or a ratio that none of them has there is marked as changed.
function drawTransformer(genotype, { width = 72, height = 34, labels = false, parents = [] } = {}) {
  const { width: wide, layers } = transformerOf(genotype);
  const margin = labels ? 20 : 1;
  const room = height - 2 * margin;
  const step = width / d3.max(DEPTHS, Number);
  const broad = (0.9 * step * wide) / mostOf("embed_dim");
  const line = margin + room * 0.52;
  const unit = (room * 0.5) / mostOf("heads.0");
  const drawn = layers.map(({ heads, ratio, places }, i) => {
    const x = (i + 0.5) * step - broad / 2;
    const changed = parents.length > 0 && parents.every((parent) => places.some((place) => parent[place] !== genotype[place]));
    return makeSvg(
      "g",
      { class: `block${changed ? " changed" : ""}`, "data-heads": heads, "data-ratio": ratio },
      makeSvg("title", {}, `layer ${i}: ${heads} heads, MLP ratio ${ratio}`),
      d3.range(heads).map((head) => makeSvg("rect", { x, y: line - (head + 1) * unit, width: broad, height: unit * 0.8, fill: HEADS })),
      makeSvg("rect", { x, y: line + 1, width: broad, height: (room * 0.46 * ratio) / mostOf("mlp_ratio.0"), fill: MLP }),
    );
  });
  const texts = labels
    ? [
        makeSvg("text", { x: width / 2, y: 12 }, `${layers.length} layers, ${wide} wide`),
        makeSvg("text", { class: "end", x: width / 2, y: height - 5 }, `${d3.extent(layers, ({ heads }) => heads).join(" to ")} heads, MLP ratio ${d3.extent(layers, ({ ratio }) => ratio).join(" to ")}`),
      ]
    : [];
  const told = `${layers.length} layers, ${wide} wide; heads ${layers.map(({ heads }) => heads).join(" ")}; MLP ratios ${layers.map(({ ratio }) => ratio).join(" ")}`;
  return makeSvg("svg", { class: "cell", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Transformer: ${told}` }, drawn, texts);
}

function drawParts() {
  at("operations").replaceChildren(
    "In drawn networks a column for each layer, as broad as the network is wide:",
    make("span", { class: "item" }, swatch(HEADS), "its attention heads, one above the other"),
    make("span", { class: "item" }, swatch(MLP), "its MLP, as deep as its ratio"),
  );
}

const [drawNetwork, drawLegend] = GRAPH ? [drawCell, drawOperations] : TRANSFORMER ? [drawTransformer, drawParts] : [drawChain, drawValues];
