"use strict";
// Puts the page together.

function facts(id, pairs) {
  at(id).replaceChildren(...pairs.filter(([, value]) => value !== null && value !== undefined).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function drawWords() {
  const s = data.search;
  at("kicker").textContent = [data.space.title, s.dataset, `${s.operator}, seed ${s.seed}`, plural(s.used, "evaluation"), `${s.created.slice(0, 10)}`].join(" · ");
  at("added").textContent = s.used ? data.added : "";
  const t = data.truth;
  at("truth").hidden = !t;
  if (t) {
    // With accuracies of a table and costs of a model, it is the costs that are estimated.
    const inherited = t.grade === "inherited" ? "inherited " : "";
    const of = t.error == null ? `By measured ${inherited}accuracies${t.estimated ? " and estimated costs" : ""} (${t.source})` : `By estimated ${inherited}accuracies (${t.source}, error ±${t.error.toFixed(2)} points)`;
    const random = t.random == null ? "" : `; random networks, as many: ${percent(t.random)}`;
    at("truth").textContent = `${of}, the front reaches ${percent(t.share)} of the best hypervolume${random}. Its most accurate network: ${t.error == null ? "" : "about "}${t.best_accuracy.toFixed(2)} %.${t.error != null && !inherited ? " Estimates are a little too kind to most searches." : ""}`;
  }
  document.querySelector(".unit").textContent = objectives[0].unit;
  caption("front-caption", "Figure 1. All evaluated networks.", `${objectives.length > 1 ? "Filled points: the front, which no other network beats in score and both costs; solid line: what is best of it in the two that are drawn." : `Solid line: the front, which no other network beats in both score and ${costNames()}.`} ${timed.size ? `Filled points of the front are timed on the ${data.search.device_title}${onFront.every(isKnown) ? "" : ", hollow ones predicted by its model"}. ` : ""}Rings: networks that the errors of these may have kept off it. ${data.exact ? `Dashed: the ${objectives.length > 1 ? "same of the " : ""}front of all architectures of the space under the same scores. ` : ""}${objectives.filter(({ limit }) => limit !== null).map(({ limit, unit }) => `Dotted: the limit of ${number(limit)} ${unit}. `).join("")}Point at a network to see its ${GRAPH ? "cell" : "positions"}; click to copy it.`);
  document.querySelector("#table caption").append(make("span", {}, make("b", {}, "Table 1."), ` Networks with their score (up) and ${costNames()} (down). The architecture is a button that copies it. Rank 1 is the front, 2 the front of the rest, and so on.${M.sources.length === 1 ? ` Source of the ${costNames()}: ${sourceText(0)}.` : ""}`));
}

function drawFacts() {
  const s = data.search;
  const l = ledger;
  const asked = l && (l.calls || l.unanswered);
  facts("costs", [
    ["Evaluations", `${s.used.toLocaleString("en")} of ${s.evaluations.toLocaleString("en")}; each is an architecture scored once, without training`],
    ["Rounds", plural(d3.max(M.round) ?? 0, "round")],
    ["Language model", asked ? `${plural(l.calls, "call")}, $${l.cost_usd.toFixed(4)}` : l ? "none was asked" : "what it was asked is not known to the laboratory"],
    ["Tokens", asked ? `${l.input_tokens.toLocaleString("en")} in (${(l.cache_read_tokens ?? 0).toLocaleString("en")} read from the cache), ${l.output_tokens.toLocaleString("en")} out` : null],
    ["Waiting", asked ? `${Math.round(l.seconds ?? 0)} s` : null],
    ["Rejected", asked ? plural(l.rejected ?? 0, "proposal") : null],
    ["Cut off", l?.unanswered ? `${plural(l.unanswered, "call")}, which may have cost up to $${l.unanswered_usd.toFixed(4)}` : null],
  ]);
  at("command").replaceChildren(
    ...(s.command
      ? [make("pre", {}, s.command.split(/(?= --)/).map((option) => make("span", {}, option))), make("p", { class: "command" }, button("Copy the command", () => copy(s.command)))]
      : [make("p", { class: "command" }, "A conversation led this search: what it proposed, and why, is in the lineage and in what was learnt.")]),
  );
  facts("settings", [
    ["Search", s.search_id],
    ["Space", `${data.space.title}; ${data.space.source}`],
    ["Dataset", s.dataset],
    ["Device", s.device && `${s.device_title} (${s.device})`],
    ["Objective", objectives.map(({ name, unit, limit }) => `${name} (${unit})${limit === null ? "" : `, at most ${number(limit)}`}`).join("; ")],
    ["Limits", s.limits.join("; ") || null],
    ["Operator", `${s.operator}, ${s.offspring} offspring for each niche and round${s.rounds === null ? "" : `, at most ${plural(s.rounds, "round")}`}`],
    ["Seed", String(s.seed)],
    ["Niches", String(data.coverage.niches.length)],
    ["Begun", s.created.slice(0, 19).replace("T", " ") + " UTC"],
    ["Version", `llmnas-mcp ${s.version}`],
  ]);
  const worth = data.worth?.rows.map((row) => `${row.spearman.toFixed(3)} (95 % interval ${row.spearman_low.toFixed(3)} to ${row.spearman_high.toFixed(3)}) for ${row.name === "score" ? "the score" : `${row.name} alone`}`).join(", ");
  facts("meaning", [
    ["Score", `The network's rank in the space, from 0 to 1, by ${s.scored_by === "params" ? "its number of parameters, for comparison" : `proxies computed at initialisation (${M.score_sources.join(", ") || "none yet"})`}. It is not an accuracy: train what you choose.`],
    ["Its worth", s.scored_by === "params" ? null : worth ? `Spearman's rank correlation with ${data.worth.grade === "inherited" ? "accuracy with weights inherited from one network that holds all of them" : "accuracy after training"}, over the whole space: ${worth}. Accuracies: ${data.worth.source}.` : "Not known: no accuracies were published for this dataset."],
    ...objectives.map(({ name, on_device }, axis) => {
      const known = d3.rollups(M.sources.map((each) => each[axis]), (of) => d3.median(of.filter(([, error]) => error !== null), ([, error]) => error), ([source]) => source);
      const worth = (source, error) => (source.startsWith("host:") && error !== undefined ? `measured, repeats to ${percent(error)}` : error !== undefined ? `median relative error ${percent(error)}` : on_device ? "measured" : "exact");
      return [name, known.map(([source, error]) => `${source} (${worth(source, error)})`).join(", ") || "nothing yet"];
    }),
    ["Within error", "Networks that would be on the front with 0.005 more score, or with a cost lower by its error."],
    ["Hypervolume", `The share of the ${objectives.length > 1 ? "cube of both scaled costs" : "square of scaled cost"} and 1 − score that the front dominates, with the reference point (1, 1${objectives.length > 1 ? ", 1" : ""}). It is ${data.hypervolume.final.toFixed(4)} here${data.hypervolume.best === null ? "" : `; ${data.hypervolume.best.toFixed(4)} is the most there is`}.`],
  ]);
}

function draw() {
  drawFront();
  drawAccuracy();
  drawCurves();
  drawCoverage();
}

drawWords();
drawFacts();
if (M.score.length) {
  drawLegend();
  drawLayers();
  drawPairs();
  drawChoices();
  drawHead();
  draw();
  drawTable();
  drawLineage(d3.greatest(onFront, (i) => ancestors(i).length));
  drawKnowledge();
  for (const id of ["low", "high"]) at(id).addEventListener("change", readRange);
  at("whole").addEventListener("click", () => setRange(null));
  for (const kind of ["svg", "png"]) at(`save-${kind}`).addEventListener("click", () => saveFigure(kind));
  document.addEventListener("keydown", (event) => event.key === "Escape" && showTip(null));
  let width = at("front-plot").clientWidth;
  new ResizeObserver(() => {
    if (Math.abs(at("front-plot").clientWidth - width) > 1) {
      width = at("front-plot").clientWidth;
      draw();
    }
  }).observe(at("front-plot"));
} else {
  for (const id of ["front", "members", "progress", "coverage", "lineage", "knowledge"]) at(id).hidden = true;
}
performance.mark("drawn");
