"use strict";
// The ancestors of one design, back to its seeds: a column for each round, lines from parents to children.

const MOST_ANCESTORS = 60;

// The design itself and its ancestors, the nearest first.
function ancestors(member) {
  const found = [member];
  const seen = new Set(found);
  for (let i = 0; i < found.length; i++) {
    for (const parent of M.parents[found[i]]) {
      if (typeof parent === "number" && !seen.has(parent)) {
        seen.add(parent);
        found.push(parent);
      }
    }
  }
  return found;
}

function reasonOf(member) {
  return M.reasons[M.reason[member]];
}

function nameOf(place) {
  return typeof place === "number" ? `number ${place + 1}` : place;
}

function drawLineage(member) {
  const whole = ancestors(member);
  const family = whole.slice(0, MOST_ANCESTORS);
  const left = whole.length - family.length;
  const columns = d3.groups(family, (i) => M.round[i]).sort((a, b) => a[0] - b[0]);
  const [cell, tall, gap] = [112, 54, 64];
  const rows = d3.max(columns, ([, of]) => of.length);
  const [width, height] = [columns.length * (cell + gap) - gap + 8, 26 + rows * (tall + 30)];
  const where = new Map();
  columns.forEach(([, of], column) => {
    of.sort((a, b) => d3.ascending(M.costs[0][a], M.costs[0][b]));
    of.forEach((i, row) => where.set(i, [4 + column * (cell + gap), 26 + (rows - of.length) * (tall + 30) / 2 + row * (tall + 30)]));
  });
  const links = family.flatMap((child) =>
    M.parents[child].filter((parent) => where.has(parent)).map((parent) => {
      const [x1, y1] = where.get(parent);
      const [x2, y2] = where.get(child);
      const bend = x2 > x1 ? (x2 - x1 - cell) / 2 : 24;
      return makeSvg("path", { d: `M${x1 + cell},${y1 + tall / 2}C${x1 + cell + bend},${y1 + tall / 2} ${x2 - bend},${y2 + tall / 2} ${x2},${y2 + tall / 2}`, fill: "none", stroke: "var(--quiet)", "stroke-opacity": 0.7, "data-parent": parent, "data-child": child });
    }),
  );
  const heads = columns.map(([round], column) => makeSvg("text", { x: 4 + column * (cell + gap), y: 12, "font-size": 12, fill: "var(--quiet)" }, `round ${round}`));
  const nodes = family.map((i) => {
    const [x, y] = where.get(i);
    const parents = M.parents[i].filter((parent) => typeof parent === "number").map((parent) => M.genotype[parent]);
    const drawn = drawNetwork(M.genotype[i], { width: cell - 8, height: tall - 6, parents });
    fill(drawn, { x: x + 4, y: y + 3 }, []);
    return makeSvg("g", { "data-member": i },
      makeSvg("rect", { x, y, width: cell, height: tall, rx: 6, fill: "var(--paper)", stroke: i === member ? "var(--ink)" : nicheColour(M.niche[i]), "stroke-width": i === member ? 2 : 1 }),
      drawn,
      makeSvg("text", { x: x + cell / 2, y: y + tall + 14, "text-anchor": "middle", "font-size": 12, fill: "currentColor" }, `${score(M.score[i])}, ${costsOf(i)}`));
  });
  const picture = makeSvg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Lineage of ${M.architecture[member]}`, style: "max-width:none" }, links, heads, nodes);
  at("lineage-plot").replaceChildren(picture);
  at("lineage-plot").scrollLeft = width;
  const more = left ? ` The nearest ${MOST_ANCESTORS} are shown; ${left.toLocaleString("en")} more came before these.` : "";
  const seeds = family.filter((i) => !M.parents[i].some((parent) => typeof parent === "number")).length;
  caption("lineage-caption", "Figure 5. Lineage.", make("code", {}, architecture(member)), ` (${score(M.score[member])}, ${costsOf(member)}) goes back to ${plural(seeds, "seed")} through ${plural(family.length - 1, "ancestor")}. Edges that no parent had are shadowed. “Lineage” in the table shows another network's.${more}`);
  asTable("lineage-plot", "Lineage, the newest first", ["network", "architecture", "round", "made by", "of", "reason", "score", costNames()],
    family.toSorted((a, b) => b - a).map((i) => [nameOf(i), make("code", {}, architecture(i)), String(M.round[i]), M.operator[i], M.parents[i].map(nameOf).join(" and "), reasonOf(i), score(M.score[i]), costsOf(i)]));
}

function goToLineage(member) {
  drawLineage(member);
  at("lineage").scrollIntoView();
  at("lineage").focus({ preventScroll: true });
}
