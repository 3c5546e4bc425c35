// The page of one figure, for a frame of another page: embed.html#prompt=…&view=lens, or index.html?embed#…. The names are those
// of the attributes of <candle-scope>, which are those of the page's address. It tells the other page how high it is:
// { type: "candlescope:height", height } in CSS pixels.

import "../elements/figure.js";
import { CandleScope } from "../elements/candle-scope.js";
import { isSameModel } from "../session/rounded.js";
import { OPENING } from "../state/state.js";
import { Q8 } from "./bundled.js";
import { foreignHost } from "./foreign.js";

let figure = document.querySelector("candle-scope") as CandleScope;
const problems = document.querySelector("#problems") as HTMLElement;

/** The attributes that the address set, to be removed by the next one. */
let written: string[] = [];

function showAddress() {
  const known = CandleScope.observedAttributes;
  const { model: readers } = figure;
  const named = figure.getAttribute("model");
  const params = new URLSearchParams(location.hash.slice(1));
  for (const name of written) figure.removeAttribute(name);
  const given = [...params].map(([name, value]) => [name.toLowerCase(), value]);
  const chosen = given.filter(([name]) => known.includes(name));
  const { src = "" } = Object.fromEntries(chosen) as { src?: string };
  const isSnapshot = src !== "";
  const attributes = new Map([
    ...(isSnapshot
      ? []
      : [
          ["model", Q8.source],
          ["prompt", OPENING.prompt],
        ]),
    ...chosen,
  ] as [string, string][]);
  // A link can name any host, which is asked only if the reader agrees.
  if (isForeign(src) || isForeignModel(attributes)) {
    attributes.set("loading", "on-request");
    // The agreement to an earlier figure is none to this one.
    const fresh = document.createElement("candle-scope");
    figure.replaceWith(fresh);
    figure = fresh;
    if (attributes.get("live") === "auto") attributes.delete("live");
  }
  for (const [name, value] of attributes) figure.setAttribute(name, value);
  // The button of a figure chooses between the files of a model, also for later addresses of the same one.
  const isKept = attributes.get("model") === named && isSameModel(readers, figure.model);
  if (isKept && attributes.get("loading") !== "on-request") figure.model = readers;
  written = [...attributes.keys()];
  const unknown = given.flatMap(([name]) => (known.includes(name) ? [] : [name]));
  problems.hidden = unknown.length === 0;
  problems.textContent = `The address has names that a figure does not know: ${unknown.join(", ")}.`;
}

function isForeignModel(attributes: ReadonlyMap<string, string>) {
  return foreignHost(attributes.get("model") ?? "", document.baseURI) !== null;
}

/** Whether an address has another origin than this page. */
function isForeign(address: string) {
  try {
    return new URL(address, document.baseURI).origin !== new URL(document.baseURI).origin;
  } catch {
    return false; // the figure says what is wrong
  }
}

addEventListener("hashchange", showAddress);
showAddress();

if (parent !== window)
  new ResizeObserver(([{ contentRect }]) => {
    const height = Math.ceil(contentRect.height);
    parent.postMessage({ type: "candlescope:height", height }, "*");
  }).observe(document.body);
