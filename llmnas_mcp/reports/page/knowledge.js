"use strict";
// The rules that each niche's knowledge base held, how they changed, and on what evidence.

function effectText({ effect, target }) {
  if (effect === null) return "";
  const sign = effect > 0 ? "+" : "−";
  return `${sign}${number(Math.abs(effect), 2)}${target === "score" ? "" : ` ${(objectives.find(({ id }) => id === target) ?? objectives[0]).unit}`}`;
}

function evidenceOf(writing) {
  const shown = writing.evidence.map((place) =>
    typeof place === "number"
      ? button(drawNetwork(M.genotype[place], { width: 50, height: 24 }), () => copy(M.architecture[place]), { "aria-label": `Copy ${M.architecture[place]}`, title: M.architecture[place] })
      : make("code", {}, place),
  );
  return make("span", { class: "evidence" }, shown);
}

function writingText(writing) {
  const said = writing.status === "retired" ? "retired" : `${writing.statement}: ${effectText(writing) || "no effect told"} on ${writing.target}, confidence ${percent(writing.confidence, 0)}`;
  return `version ${writing.version}, round ${writing.round}, by ${writing.author}: ${said} `;
}

function ruleRow({ writings }) {
  const last = writings.at(-1);
  const history = make("details", {}, make("summary", {}, plural(writings.length, "writing")));
  history.addEventListener("toggle", () => {
    if (history.children.length === 1) history.append(make("ol", { class: "writings" }, writings.map((w) => make("li", {}, writingText(w), w.status === "retired" ? null : evidenceOf(w)))));
  });
  return make("tr", { class: last.status },
    make("td", { class: "rule" }, last.statement, history),
    make("td", {}, last.status === "retired" ? `retired in round ${last.round}` : "in force"),
    make("td", { class: "number" }, effectText(last)),
    make("td", { class: "number" }, percent(last.confidence, 0)),
    make("td", {}, last.author),
    make("td", {}, evidenceOf(last)));
}

function drawRules(box, rules) {
  const heads = ["rule", "state", "effect", "confidence", "by", "evidence"];
  const table = make("table", {},
    make("caption", {}, make("span", {}, "Rules in force first. The effect is against the niche's average; the evidence is networks it rests on.")),
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col", class: ["effect", "confidence"].includes(head) ? "number" : null }, head)))),
    make("tbody", {}));
  const body = table.tBodies[0];
  const sorted = rules.toSorted((a, b) => d3.ascending(a.writings.at(-1).status, b.writings.at(-1).status) || d3.descending(a.writings.at(-1).confidence, b.writings.at(-1).confidence));
  let shown = 0;
  const more = button("", add, { class: "small" });
  function add() {
    body.append(...sorted.slice(shown, shown + 25).map(ruleRow));
    shown = Math.min(sorted.length, shown + 25);
    more.hidden = shown === sorted.length;
    more.textContent = `Show ${Math.min(25, sorted.length - shown)} more of ${sorted.length - shown}`;
  }
  add();
  box.append(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Rules" }, table), more);
}

function drawKnowledge() {
  const inForce = (rules) => rules.filter((rule) => rule.writings.at(-1).status === "active").length;
  const writings = d3.sum(data.knowledge, (rule) => rule.writings.length);
  at("knowledge-sum").textContent = data.knowledge.length
    ? `${plural(inForce(data.knowledge), "rule")} in force at the end, ${data.knowledge.length - inForce(data.knowledge)} retired, ${plural(writings, "writing")} in all. Every version is kept.`
    : "No rule was written down.";
  const niches = d3.groups(data.knowledge, (rule) => rule.niche);
  const longest = d3.greatest(niches, ([, rules]) => inForce(rules));
  at("niches-knowledge").replaceChildren(
    ...niches.map(([niche, rules]) => {
      const box = make("details", {}, make("summary", {}, swatch(nicheColour(niche)), ` Niche ${niche}: ${plural(inForce(rules), "rule")} in force, ${rules.length - inForce(rules)} retired`));
      box.addEventListener("toggle", () => box.children.length === 1 && drawRules(box, rules));
      box.open = niches.length === 1 || niche === longest[0];
      return box;
    }),
  );
}
