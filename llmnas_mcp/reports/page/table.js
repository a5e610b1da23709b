"use strict";
// The table of networks: the front first, the others on request, a page at a time.

const LEARNED = new Map(data.accuracies?.learned?.rows);
const COLUMNS = [
  { key: "drawn", text: GRAPH ? "cell" : "network", cell: (i) => drawNetwork(M.genotype[i]) },
  { key: "score", text: "score", number: true, cell: (i) => score(M.score[i]), value: (i) => M.score[i] },
  ...objectives.map(({ name, unit }, axis) => ({ key: `cost-${axis}`, text: `${name} (${unit})`, number: true, cell: (i) => number(M.costs[axis][i], 4), value: (i) => M.costs[axis][i] })),
  ...(data.truth ? [{ key: "accuracy", text: `${data.truth.grade === "inherited" ? "inherited " : ""}accuracy${data.truth.error == null ? "" : ", estimated"}`, number: true, cell: (i) => accuracyFacts(i)[0]?.[1] ?? "", value: (i) => accuracyOf.get(i)?.accuracy ?? -1 }] : []),
  ...data.trained.map(({ data: name, rows }) => {
    const of = new Map(rows.map((row) => [row.member, row]));
    const text = (row) => `${row.valid.toFixed(2)} / ${row.test.toFixed(2)} after ${row.epochs} of ${row.of_epochs} epochs`;
    return { key: `trained-${name}`, text: `trained on ${name}: held out / test (%)`, number: true, cell: (i) => (of.has(i) ? text(of.get(i)) : ""), value: (i) => of.get(i)?.valid ?? -1 };
  }),
  ...(LEARNED.size ? [{ key: "learned", text: `learned accuracy (%, ± ${data.accuracies.learned.error.toFixed(2)})`, number: true, cell: (i) => LEARNED.get(i)?.toFixed(2) ?? "", value: (i) => LEARNED.get(i) ?? -1 }] : []),
  { key: "architecture", text: "architecture", cell: (i) => button(M.short[i], () => copy(M.architecture[i]), { class: "arch", title: M.architecture[i] }), value: (i) => M.architecture[i] },
  { key: "params", text: "params (M)", number: true, cell: (i) => (M.params[i] / 1e6).toFixed(3), value: (i) => M.params[i] },
  { key: "niche", text: "niche", cell: (i) => [swatch(nicheColour(M.niche[i])), String(M.niche[i])], value: (i) => M.niche[i] },
  { key: "rank", text: "rank", number: true, cell: (i) => String(M.rank[i]), value: (i) => M.rank[i] },
  { key: "round", text: "round", number: true, cell: (i) => String(M.round[i]), value: (i) => M.round[i] },
  ...(M.sources.length > 1 ? [{ key: "source", text: "source", cell: sourceText, value: (i) => M.source[i] }] : []),
  { key: "from", text: "", cell: (i) => button("Lineage", () => goToLineage(i), { class: "small", "aria-label": `Lineage of ${M.architecture[i]}` }) },
];
const SHOWN = {
  front: ["Front", onFront],
  near: ["Front and near it", data.front.map((point) => point.member)],
  all: ["All", d3.range(M.score.length)],
};

function drawChoices() {
  at("shown").replaceChildren(
    ...Object.entries(SHOWN).map(([key, [text, of]]) =>
      button(`${text} (${of.length.toLocaleString("en")})`, () => {
        [state.shown, state.room] = [key, 50];
        for (const other of at("shown").children) other.setAttribute("aria-pressed", other.dataset.shown === key);
        drawTable();
      }, { "aria-pressed": state.shown === key, "data-shown": key }),
    ),
  );
  at("more").addEventListener("click", () => {
    state.room += 50;
    drawTable();
  });
}

function drawHead() {
  const heads = COLUMNS.map((column) => {
    const name = column.value
      ? button(column.text, () => {
          state.sort = [column.key, state.sort[0] === column.key ? -state.sort[1] : 1];
          drawTable();
        })
      : column.text || make("span", {}, "lineage");
    return make("th", { scope: "col", class: column.number ? "number" : null, "data-key": column.key }, name);
  });
  document.querySelector("#table thead").replaceChildren(make("tr", {}, heads));
}

function drawTable() {
  const [key, direction] = state.sort;
  const { value } = COLUMNS.find((column) => column.key === key);
  const rows = SHOWN[state.shown][1].filter(inRange).sort((a, b) => direction * d3.ascending(value(a), value(b)) || a - b);
  for (const head of document.querySelectorAll("#table th[data-key]")) {
    if (head.dataset.key === key) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
  document.querySelector("#table tbody").replaceChildren(
    ...rows.slice(0, state.room).map((i) =>
      make("tr", { "data-member": i, onfocusin: () => showTip(i, true), onfocusout: () => showTip(null), onmouseenter: () => showTip(i, true), onmouseleave: () => showTip(null) },
        COLUMNS.map((column) => make("td", { class: column.number ? "number" : null }, column.cell(i)))),
    ),
  );
  const range = state.range ? ` between ${number(state.range[0], 4)} and ${number(state.range[1], 4)} ${objectives[state.pair[0]].unit}` : "";
  at("count").textContent = `${rows.length.toLocaleString("en")} of ${plural(SHOWN[state.shown][1].length, "network")}${range}`;
  const left = rows.length - state.room;
  at("more").hidden = left <= 0;
  at("more").textContent = `Show ${Math.min(50, left)} more of ${left.toLocaleString("en")}`;
}

// Up and down go from row to row, in the column one is in.
document.querySelector("#table tbody").addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target.closest("tr");
  const next = step && row?.[step]?.querySelector(event.target.classList.contains("arch") ? ".arch" : ".small");
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
