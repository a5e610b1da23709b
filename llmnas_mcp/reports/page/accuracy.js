"use strict";
// Accuracies of networks that were trained, and what was learned of the others: never in one figure with scores.

function drawAccuracy() {
  const known = data.accuracies;
  at("accuracy").hidden = !known;
  if (!known) return;
  const { trained, learned, front } = known;
  const across = state.pair[0];
  const x = ([member]) => M.costs[across][member];
  const y = ([, accuracy]) => accuracy;
  const best = (trained?.rows ?? []).filter(([member]) => front.includes(member));
  plotInto("accuracy-plot", {
    height: 340,
    marginLeft: 46,
    marginTop: 26,
    marginBottom: 42,
    ariaLabel: "Accuracy by cost",
    x: { label: `${axisLabel(objectives[across])} →`, nice: true, grid: true },
    y: { label: "↑ accuracy (%)", nice: true, grid: true },
    marks: [
      ...(learned
        ? [
            Plot.ruleX(learned.rows, { x, y1: (row) => y(row) - learned.error, y2: (row) => y(row) + learned.error, stroke: "var(--line)" }),
            Plot.dot(learned.rows, { x, y, r: 2.6, stroke: "var(--quiet)" }),
          ]
        : []),
      Plot.line(stairs(best.map((row) => [x(row), y(row)]), true), { curve: "step-after", stroke: "currentColor", strokeWidth: 1.4 }),
      Plot.dot(trained?.rows ?? [], { x, y, r: 3.8, fill: ([member]) => nicheColour(M.niche[member]), stroke: "var(--paper)", strokeWidth: 0.8 }),
    ],
    color: { type: "identity" },
  });
  const of = [
    trained && `Filled, in the colour of the niche: trained (${trained.source}); line: what no other of these beats in accuracy and ${costNames()}.`,
    learned && `Hollow: learned ${learned.source}, ± ${learned.error.toFixed(2)} points, the error with one left out.`,
  ];
  caption("accuracy-caption", "Accuracies.", `${of.filter(Boolean).join(" ")} They are no part of any score.`);
  const rows = ["trained", "learned"].flatMap((grade) => (known[grade]?.rows ?? []).map((row) => [M.short[row[0]], y(row).toFixed(2), grade, ...objectives.map((_, axis) => number(M.costs[axis][row[0]], 4))]));
  asTable("accuracy-plot", "Accuracies", ["architecture", "accuracy (%)", "by", ...objectives.map(({ name, unit }) => `${name} (${unit})`)], rows);
}
