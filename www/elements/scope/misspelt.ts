// Attributes that no figure knows, and which one may be meant.

import { VIEWS } from "../views/index.js";
import { listed } from "./words.js";

/** Sentences about attributes that are unknown: settings of a view, and names that are near to a known one. */
export function misspelt(names: readonly string[], known: readonly string[]): string[] {
  const unknown = names.filter((name) => !known.includes(name));
  const settings = unknown.flatMap((name) => {
    const view = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
    if (!Object.hasOwn(VIEWS, view)) return [];
    const own = known.filter((one) => one.startsWith(`${view}.`));
    return [`The attribute \`${name}\` is unknown. The view has ${listed(own)}.`];
  });
  const others = unknown
    .filter((name) => /^[a-z]+(-[a-z]+)*$/.test(name) && !GLOBAL.has(name))
    .filter((name) => !/^(aria|data)-/.test(name))
    .flatMap((name) => {
      const plain = name.replaceAll("-", "");
      const near = SYNONYMS[plain] ?? known.find((one) => isNear(plain, one));
      return near ? [`The attribute \`${name}\` is unknown; \`${near}\` may be meant.`] : [];
    });
  return [...settings, ...others];
}

/** Other words for what an attribute says. */
const SYNONYMS: Readonly<Record<string, string>> = {
  ...{ text: "prompt", input: "prompt", sentence: "prompt", compare: "corrupted" },
  ...{ second: "corrupted", ablate: "off", source: "src", href: "src", checkpoint: "model" },
};

/** Attributes that every element may have, and that a misspelt one could be near to. */
const GLOBAL: ReadonlySet<string> = new Set([
  "is",
  "inert",
  "nonce",
  "class",
  "dir",
  "hidden",
  "id",
  "lang",
  "part",
  "role",
  "slot",
  "style",
  "title",
]);

/** A name with one more, less or another letter, or with two neighbours exchanged. */
function isNear(a: string, b: string) {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let start = 0;
  while (start < short.length && short[start] === long[start]) start += 1;
  const isSame = short.length === long.length;
  const exchanged = `${short.slice(0, start)}${short[start + 1] ?? ""}${short[start] ?? ""}`;
  if (isSame && exchanged + short.slice(start + 2) === long) return true;
  return short.slice(isSame ? start + 1 : start) === long.slice(start + 1);
}
