"use strict";
// Hypervolume over evaluations, and how far niches and ranges of cost were covered.

function drawCurves() {
  const { curve, best } = data.hypervolume;
  const others = data.baselines;
  const end = d3.max([...curve, ...others.flatMap((other) => other.curve)], (p) => p[0]) ?? 1;
  // The first few evaluations, which reach next to nothing, would leave little room for the rest.
  const settled = [curve, ...others.map((other) => other.curve)].map((points) => points.find(([n]) => n >= end / 20)?.[1] ?? 0);
  const highest = best ?? d3.max(curve, (p) => p[1]);
  plotInto("curves-plot", {
    height: 320,
    marginLeft: 50,
    marginTop: 26,
    marginBottom: 42,
    ariaLabel: "Hypervolume over evaluations",
    x: { label: "evaluations →", domain: [0, end], nice: true },
    y: { label: "↑ hypervolume", grid: true, domain: [d3.min(settled), highest], nice: true },
    marks: [
      ...others.map((other, i) => Plot.ruleX([other.curve.at(-1)[0]], { y1: other.low, y2: other.high, stroke: baselineColour(i), strokeWidth: 5, strokeOpacity: 0.4 })),
      best === null ? null : Plot.ruleY([best], { stroke: "var(--quiet)", strokeDasharray: "4 3" }),
      ...others.map((other, i) => Plot.line(other.curve, { x: (p) => p[0], y: (p) => p[1], stroke: baselineColour(i), strokeWidth: 1.8, clip: true })),
      Plot.line(curve, { x: (p) => p[0], y: (p) => p[1], stroke: "currentColor", strokeWidth: 2.2, clip: true }),
    ],
  });
  const key = [["this search", "var(--ink)"], ...others.map((other, i) => [other.name, baselineColour(i)]), ...(best === null ? [] : [["the best there is", "none;border:2px dashed var(--quiet)"]])];
  at("curves-key").replaceChildren(...key.map(([text, colour]) => make("span", { class: "item" }, swatch(colour), text)));
  const compared = others.length ? " Lines of others are means over seeds, with a bar from the least to the most at their end; all use the same scores and costs." : "";
  caption("curves-caption", "Figure 2. Hypervolume after each evaluation.", `${data.added}${compared}`);
  const few = curve.filter((_, i) => i % Math.ceil(curve.length / 20) === 0 || i === curve.length - 1);
  const then = (other, n) => {
    const step = d3.bisector((p) => p[0]).right(other.curve, n) - 1;
    return step < 0 ? "" : other.curve[step][1].toFixed(4);
  };
  asTable("curves-plot", "Hypervolume by evaluations", ["evaluations", "this search", ...others.map((other) => other.name)], few.map(([n, value]) => [String(n), value.toFixed(4), ...others.map((other) => then(other, n))]));
}

function drawCoverage() {
  const { niches } = data.coverage;
  const { edges, counts: ranges, space } = data.coverage.ranges[state.pair[0]];
  const { name: costName, unit } = objectives[state.pair[0]];
  const listed = niches.every((niche) => niche.size !== null);
  const evaluated = d3.sum(niches, (niche) => niche.members);
  const name = (niche, i) => `${i}: ${(niche.low / 1e6).toFixed(2)}–${(niche.high / 1e6).toFixed(2)} M`;
  plotInto("niches-plot", {
    height: 60 + 30 * niches.length,
    marginLeft: 104,
    marginRight: 90,
    marginBottom: 42,
    ariaLabel: listed ? "Part of each niche that was evaluated" : "Part of the evaluations in each niche",
    x: { label: listed ? "evaluated part of the niche →" : "part of the evaluations →", domain: [0, 1], tickFormat: "%", ticks: 5 },
    y: { label: null, domain: niches.map(name) },
    marks: [
      Plot.barX(niches, { x: () => 1, y: name, fill: "var(--line)", fillOpacity: 0.6 }),
      Plot.barX(niches, { x: (n) => n.members / Math.max(1, listed ? n.size : evaluated), y: name, fill: (_, i) => nicheColour(i) }),
      Plot.text(niches, { x: () => 1, y: name, text: (n) => `${n.members} of ${(listed ? n.size : evaluated).toLocaleString("en")}`, textAnchor: "start", dx: 6, fill: "currentColor" }),
    ],
    color: { type: "identity" },
  });
  const reached = niches.filter((niche) => niche.members).length;
  caption("niches-caption", "Figure 3. Niches by number of parameters.", `${reached} of ${plural(niches.length, "niche")} reached.`);
  asTable("niches-plot", "Niches", ["niche", "parameters", ...(listed ? ["can run"] : []), "evaluated", "on the front", "rules in force"], niches.map((n, i) => [String(i), `${millions(n.low)} to ${millions(n.high)}`, ...[...(listed ? [n.size] : []), n.members, n.front, n.rules].map(String)]));

  const part = (counts) => counts.map((count) => count / Math.max(1, d3.sum(counts)));
  const bars = (counts, options) => Plot.rectY(part(counts), { x1: (_, i) => edges[i], x2: (_, i) => edges[i + 1], y: (p) => p, ...options });
  plotInto("ranges-plot", {
    height: 60 + 30 * Math.max(7, niches.length),
    marginLeft: 46,
    marginTop: 26,
    marginBottom: 42,
    ariaLabel: "Ranges of cost that were reached",
    x: { label: `${costName} (${unit}) →` },
    y: { label: "↑ part of the networks", tickFormat: "%", grid: true },
    marks: [...(space ? [bars(space, { fill: "var(--line)", inset: 0 })] : []), bars(ranges, { fill: "var(--niche-0)", insetLeft: 5, insetRight: 5 })],
  });
  caption("ranges-caption", `Figure 4. Ranges of ${costName}.`, `${ranges.filter(Boolean).length} of ${ranges.length} reached. Blue: evaluated networks${space ? "; grey: all that can run within the limits" : ""}.`);
  asTable("ranges-plot", `Ranges of ${costName}`, [`from (${unit})`, `to (${unit})`, "evaluated", ...(space ? ["can run"] : [])], ranges.map((count, i) => [number(edges[i], 4), number(edges[i + 1], 4), String(count), ...(space ? [space[i].toLocaleString("en")] : [])]));
}
