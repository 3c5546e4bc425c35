// What is on show, as an address that can be shared: #prompt=…&layer=1&head=2

/** @typedef {import("./draw/scale.js").Stretch} Stretch */
/**
 * @typedef {object} Shown
 * @property {string} [model] a folder address, or a Hugging Face id as "hf:owner/name"
 * @property {string} [prompt]
 * @property {number} [layer]
 * @property {number} [head]
 * @property {string} [view]
 * @property {Stretch} [scale]
 * @property {"from" | "to"} [look]
 * @property {{ query?: number, key?: number }} [lock] a cell, a row or a column
 * @property {{ layer: number, head: number }[]} [off] heads that are switched off
 * @property {string} [hook] the hook point whose values are drawn
 */

/** @param {Shown} shown @returns {string} without the leading # */
export function write(shown) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(shown)) {
    if (value !== undefined) words.set(name, wordOf(value));
  }
  return words.toString();
}

/** @param {Shown[keyof Shown]} value */
function wordOf(value) {
  if (Array.isArray(value)) return value.map(({ layer, head }) => `${layer}.${head}`).join(",");
  return typeof value === "object" ? `${value.query ?? ""},${value.key ?? ""}` : String(value);
}

/**
 * Reads what it understands and leaves out the rest: an address typed by hand must not break the page.
 * @param {string} hash with or without its # @returns {Shown}
 */
export function read(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {Shown} */
  const shown = {};
  for (const name of /** @type {const} */ (["model", "prompt", "view", "hook"])) {
    const value = words.get(name);
    if (value !== null) shown[name] = value;
  }
  for (const name of /** @type {const} */ (["layer", "head"])) {
    const value = words.get(name);
    if (value !== null && /^\d+$/.test(value)) shown[name] = Number(value);
  }
  const scale = words.get("scale");
  if (scale === "linear" || scale === "sqrt") shown.scale = scale;
  const look = words.get("look");
  if (look === "from" || look === "to") shown.look = look;
  const lock = /^(\d*),(\d*)$/.exec(words.get("lock") ?? "");
  if (lock?.[1]) shown.lock = { query: Number(lock[1]) };
  if (lock?.[2]) shown.lock = { ...shown.lock, key: Number(lock[2]) };
  const off = (words.get("off") ?? "").split(",").flatMap((word) => {
    const found = /^(\d+)\.(\d+)$/.exec(word);
    return found ? [{ layer: Number(found[1]), head: Number(found[2]) }] : [];
  });
  if (off.length > 0) shown.off = off;
  return shown;
}
