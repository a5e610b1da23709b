"use strict";
// What all parts of the page share: the data, what the reader has chosen, and ways to make elements.
// Text of the data only ever becomes text nodes and attributes, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const ledger = JSON.parse(document.getElementById("ledger").textContent);
const M = data.members;
const SVG = "http://www.w3.org/2000/svg";
const objectives = data.search.objectives; // of the costs, in their order: {id, name, unit, limit, on_device}
const SCORE = data.search.scored_by === "params" ? "number of parameters" : "zero-cost score";
const onFront = data.front.filter((point) => !point.near).map((point) => point.member);
const nearFront = data.front.filter((point) => point.near).map((point) => point.member);
const timed = new Set(data.front.filter((point) => point.timed).map((point) => point.member)); // on an own device
const accuracyOf = new Map(data.front.map((point) => [point.member, point]));

// pair: what the figure is of, by number of the cost, one beyond the last is the score; range: [low, high] of its x, or
// null; hidden: layers of the figure; shown: front, near or all; chosen: a member.
const state = { pair: [0, objectives.length], range: null, hidden: new Set(), shown: "front", sort: ["cost-0", 1], room: 50, chosen: null };

// A member's cost by number, or its score.
function value(axis, member) {
  return axis === objectives.length ? M.score[member] : M.costs[axis][member];
}

// The same of a point [score, costs].
function valueOf(axis, point) {
  return axis === objectives.length ? point[0] : point[axis + 1];
}

function costNames() {
  return objectives.map(({ name }) => name).join(" and ");
}

function axisLabel({ name, unit, on_device }) {
  return `${name}${on_device ? ` on ${data.search.device_title}` : ""} (${unit})`;
}

function at(id) {
  return document.getElementById(id);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function button(text, onclick, attributes = {}) {
  return make("button", { type: "button", onclick, ...attributes }, text);
}

// Breaks between operations, where it breaks at all; copied, it is as it was.
function architecture(member) {
  return M.architecture[member].split(/(?<=\|)/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));
}

function number(value, digits = 3) {
  if (value === 0) return "0";
  return Math.abs(value) >= 10 ** digits ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
}

function score(value) {
  return value.toFixed(4);
}

function cost(axis, amount) {
  return `${number(amount, 4)} ${objectives[axis].unit}`;
}

function costsOf(member) {
  return objectives.map((_, axis) => cost(axis, M.costs[axis][member])).join(", ");
}

function millions(params) {
  return `${(params / 1e6).toFixed(3)} M`;
}

function percent(part, digits = 1) {
  return `${(100 * part).toFixed(digits)} %`;
}

function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

function nicheColour(niche) {
  return `var(--niche-${niche % 7})`;
}

function swatch(colour) {
  return make("span", { class: "swatch", style: `background:${colour}`, "aria-hidden": "true" });
}

function caption(id, title, ...rest) {
  at(id).replaceChildren(make("b", {}, title), " ", ...rest);
}

// Of each cost of a member: where it comes from, and how far it may be off.
function costErrors(member) {
  return M.sources[M.source[member]].map(([source, error], axis) => {
    const off = error === null ? "" : `±${percent(error)}`;
    const measured = source.startsWith("host:") || error === null; // how far it repeats is told beside it
    return [source, measured ? `${objectives[axis].on_device ? "measured" : "exact"} ${off}`.trim() : off];
  });
}

function sourceText(member) {
  return [...new Set(costErrors(member).map((both) => both.join(", ")))].join("; ");
}

let silence;
function toast(text) {
  at("toast").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => (at("toast").textContent = ""), 2500);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a clipboard to write to, as in some embedded views, the old way.
    const area = make("textarea", { style: "position:fixed;opacity:0" }, text);
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    before?.focus();
  }
  toast(`Copied ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`);
}

// The same numbers for who does not see a figure, and for who wants them.
function asTable(figure, title, heads, rows) {
  const table = make(
    "table",
    {},
    make("caption", {}, make("span", {}, title)),
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, cell))))),
  );
  const box = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table);
  const host = at(figure).closest("figure");
  host.querySelector("details")?.remove();
  host.append(make("details", {}, make("summary", {}, "The numbers as a table"), box));
}

function plotInto(id, options) {
  const host = at(id);
  const drawn = Plot.plot({ width: Math.max(280, host.clientWidth), style: { fontSize: "12px", background: "none" }, ...options });
  host.replaceChildren(drawn);
  return drawn;
}
