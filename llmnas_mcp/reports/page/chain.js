"use strict";
// A network that is no graph of operations, drawn as a bar for each position in order: height and colour say its value.

const GRAPH = data.space.positions.every((position) => /^\d+->\d+$/.test(position));
const ALIKE = new Set(data.space.choices.map((values) => values.join())).size === 1;
const FEW = 8; // positions whose names and values fit below their bars

function valueColour(choice, count) {
  return ALIKE && count <= 10 ? d3.schemeTableau10[choice] : d3.interpolateViridis(0.15 + (0.75 * choice) / Math.max(1, count - 1));
}

// What stands at each position; nothing where it does not matter.
function placed(genotype) {
  return data.space.positions.map((position, i) => ({ position, of: data.space.choices[i], choice: DIGITS.indexOf(genotype[i]) }));
}

// parents: genotypes; a value that none of them has is marked as changed.
function drawChain(genotype, { width = 72, height = 34, labels = false, parents = [] } = {}) {
  const all = placed(genotype);
  const named = labels && all.length <= FEW;
  const [step, floor] = [width / all.length, height - (named ? 20 : 2)];
  const room = floor - (named ? 18 : 2);
  const drawn = all.map(({ position, of, choice }, i) => {
    if (choice < 0) return null;
    const tall = (room * (choice + 1)) / of.length;
    const changed = parents.length > 0 && parents.every((parent) => parent[i] !== genotype[i]);
    const middle = (i + 0.5) * step;
    return makeSvg(
      "g",
      { class: `block${changed ? " changed" : ""}`, "data-position": position, "data-op": of[choice] },
      makeSvg("title", {}, `${position}: ${of[choice]}`),
      makeSvg("rect", { x: i * step + step * 0.12, y: floor - tall, width: step * 0.76, height: tall, fill: valueColour(choice, of.length) }),
      named ? makeSvg("text", { x: middle, y: floor - tall - 5 }, of[choice]) : null,
      named ? makeSvg("text", { class: "end", x: middle, y: height - 6 }, position) : null,
    );
  });
  const told = all.filter(({ choice }) => choice >= 0).map(({ position, of, choice }) => `${position} ${of[choice]}`).join(", ");
  return makeSvg("svg", { class: "cell", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Network: ${told}` }, drawn.filter(Boolean));
}

function drawValues() {
  const { positions, choices } = data.space;
  const swatches = choices[0].map((value, i) => make("span", { class: "item" }, swatch(valueColour(i, choices[0].length)), value));
  const places = positions.length > FEW ? `${positions[0]} to ${positions[positions.length - 1]}` : positions.join(", ");
  at("operations").replaceChildren(`In drawn networks a bar for each position, ${places}; the higher, the later in the list of its values.`, ...(ALIKE ? swatches : []));
}
