// The page of one figure, for a frame of another page: embed.html#prompt=…&view=lens, or index.html?embed#…. The names are those
// of the attributes of <candle-scope>, which are those of the page's address. It tells the other page how high it is:
// { type: "candlescope:height", height } in CSS pixels.

import "../elements/elements.js";
import { CandleScope } from "../elements/candle-scope.js";
import { OPENING } from "../state/state.js";
import { foreignHost } from "./foreign.js";

const figure = document.querySelector("candle-scope") as CandleScope;
const problems = document.querySelector("#problems") as HTMLElement;

/** The attributes that the address set, to be removed by the next one. */
let written: string[] = [];

function showAddress() {
  const known = CandleScope.observedAttributes;
  const params = new URLSearchParams(location.hash.slice(1));
  for (const name of written) figure.removeAttribute(name);
  const given = [...params].map(([name, value]) => [name.toLowerCase(), value]);
  const attributes = new Map([
    ["model", OPENING.model],
    ["prompt", OPENING.prompt],
    ...given.filter(([name]) => known.includes(name)),
  ] as [string, string][]);
  // A link can name any host, which is asked only if the reader agrees.
  if (foreignHost(attributes.get("model") ?? "", document.baseURI) !== null)
    attributes.set("loading", "on-request");
  for (const [name, value] of attributes) figure.setAttribute(name, value);
  written = [...attributes.keys()];
  const unknown = given.flatMap(([name]) => (known.includes(name) ? [] : [name]));
  problems.hidden = unknown.length === 0;
  problems.textContent = `The address has names that a figure does not know: ${unknown.join(", ")}.`;
}

addEventListener("hashchange", showAddress);
showAddress();

if (parent !== window)
  new ResizeObserver(([{ contentRect }]) => {
    const height = Math.ceil(contentRect.height);
    parent.postMessage({ type: "candlescope:height", height }, "*");
  }).observe(document.body);
