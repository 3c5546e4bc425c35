// For tests of the lab's views, over all of them or of one. Announced here, so that no test writes them again:
//
//   VIEW_NAMES                        the names of all views, from www/elements/views/index.ts
//   TWO_PROMPTS                       a state in which every view has a picture
//   address(state)                    "#prompt=…&view=…": a state of the page as the address that opens it
//   openView(page, name)              chooses a view as a mouse does, and waits for its picture
//   setPrompts(page, { … })           fills the text, and the second prompt, answer and wrong answer if the view has them
//   ready(page), compute(page)        waits for the open view's result; presses "Compute" first
//   shown(page)                       the words that the open view shows, through shadow roots, and how many pictures
//   askModel(page, given, body)       runs code with `model` of the public API, for the numbers to compare with
//   canvasCells(locator, grid)        the colour of each cell of a canvas; fails if a cell has two colours
//   elementCells(locator)             background, colour and words of cells that are elements
//   assertColours(cells, values, …)   each cell has the colour of its value, on the scale from 0 to 1 or the signed one
//   focused(page), pressTo(page, …)   what has the focus, through shadow roots; presses a key until something has it
//   openViewByKeyboard(page, name)    the same as openView, with keys alone
//   byKeyboard(page, act)             fails if `act` used a pointer, or called click() from a script

import assert from "node:assert/strict";

import { divergingColours, signedLevelOf, signedValuesOf } from "../../www/draw/diverging.ts";
import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import { VIEWS } from "../../www/elements/views/index.ts";
import { eventually, settled } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Locator} Locator */
/** @typedef {import("../../www/draw/scale.ts").Theme} Theme */
/** @typedef {import("../../www/draw/scale.ts").Stretch} Stretch */
/** @typedef {[red: number, green: number, blue: number, alpha: number]} Colour */

export const VIEW_NAMES = Object.keys(VIEWS);

/** A state in which every view has a picture: two prompts of the bundled model with the same number of tokens, and their answers. */
export const TWO_PROMPTS = {
  prompt: "the moon and the stars, the moon and the",
  corrupted: "the moon and the night, the moon and the",
  answer: " stars",
  against: " night",
};

// ---- opening ----

/**
 * The address of a state: what is not a text or a number is written as JSON.
 * @param {Record<string, unknown>} state by the names of the address, such as { prompt, view, "patching.at": "z" }
 */
export function address(state) {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value !== undefined)
      fields.set(
        name,
        typeof value === "object" && value !== null ? JSON.stringify(value) : String(value),
      );
  }
  return `#${fields}`;
}

/** The button of a view. @param {Page} page @param {string} name */
export function viewButton(page, name) {
  return page
    .locator("scope-figure")
    .locator("button, [role=tab]")
    .filter({ hasText: new RegExp(`^\\s*${escaped(VIEWS[name].title)}\\s*$`) })
    .first();
}

/** @param {string} text */
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** @param {Page} page @param {string} name */
export async function openView(page, name) {
  await viewButton(page, name).click();
  await page.waitForFunction(
    (name) => /** @type {any} */ (document.querySelector("scope-figure"))?.view === name,
    name,
  );
  await ready(page);
}

/**
 * Fills what the open view reads: each box is found by its name on the page.
 * @param {Page} page @param {{ prompt?: string, corrupted?: string, answer?: string, against?: string }} texts
 */
export async function setPrompts(page, { prompt, corrupted, answer, against }) {
  if (prompt !== undefined) await page.locator("#prompt").fill(prompt);
  if (corrupted !== undefined) await page.locator("#corrupted").fill(corrupted);
  for (const [name, value] of Object.entries({ answer, against })) {
    if (value === undefined) continue;
    const box = page.locator(`answer-choice input[name="${name}"]`).first();
    await box.fill(value);
    await box.press("Enter");
  }
  await settled(page);
}

/**
 * Waits until the views on show have what they need for the current text, or say why not, or wait for "Compute".
 * @param {Page} page @param {number} [timeout] in ms
 */
export async function ready(page, timeout = 60_000) {
  await page.waitForFunction(
    () => {
      const figure = /** @type {any} */ (document.querySelector("scope-figure"));
      return figure?.reading && !figure.stale && !figure.needs;
    },
    null,
    { timeout },
  );
  await page.evaluate(async () => {
    await /** @type {any} */ (document.querySelector("scope-figure")).updateComplete;
    await new Promise((done) => requestAnimationFrame(done));
  });
}

/** Presses "Compute" if the view waits for it, and waits for the result. @param {Page} page */
export async function compute(page) {
  await ready(page);
  const button = page
    .locator("scope-figure")
    .getByRole("button", { name: /^compute/i })
    .first();
  if (!(await button.isVisible())) return;
  await button.click();
  await eventually(async () => assert.ok(!(await button.isVisible()), "the view still waits"));
  await ready(page);
}

/**
 * What the open views show: their words, the number of canvases, tables and drawings, and by how many pixels the page is wider
 * than the window.
 * @param {Page} page
 */
export function shown(page) {
  return page.evaluate(() => {
    let pictures = 0;
    /** @type {string[]} */
    const words = [];
    const visit = (/** @type {Node} */ node) => {
      if (node instanceof Text) words.push(node.data);
      if (!(node instanceof Element)) return;
      if (/^(style|script|datalist)$/.test(node.localName) || !node.checkVisibility()) return;
      const role = node.getAttribute("role") ?? "";
      if (
        /^(canvas|svg|table)$/.test(node.localName) ||
        /^(grid|listbox|img|application)$/.test(role)
      )
        pictures++;
      const children = node instanceof HTMLSlotElement ? node.assignedNodes() : [];
      for (const child of children.length > 0 ? children : (node.shadowRoot ?? node).childNodes)
        visit(child);
    };
    const { renderRoot } = /** @type {any} */ (document.querySelector("scope-figure"));
    for (const element of renderRoot.querySelectorAll("*"))
      if (element.localName.endsWith("-view") && "figure" in element) visit(element);
    return {
      text: words.join(" ").replace(/\s+/g, " ").trim(),
      pictures,
      overflow: document.documentElement.scrollWidth - innerWidth,
    };
  });
}

/**
 * Runs the body of a function of `model` and `given` in the page, on a model of its own.
 * @param {Page} page @param {object} given @param {string} body @param {string} [source] of the model
 * @returns {Promise<any>}
 */
export function askModel(page, given, body, source = "models/shakespeare") {
  return page.evaluate(`(async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel(${JSON.stringify(source)});
    const given = ${JSON.stringify(given)};
    try { ${body} } finally { model.dispose(); }
  })()`);
}

/** The numbers of a text; a minus sign may be typographic. @param {string} text */
export function numbersIn(text) {
  return (text.match(/[−-]?\d+(\.\d+)?/g) ?? []).map((word) => Number(word.replace("−", "-")));
}

// ---- what is drawn ----

/**
 * The colours of the cells of a canvas, row by row, and a proof that all pixels of a cell have one colour.
 * @param {Locator} canvas
 * @param {{ rows: number, columns: number, cell: number, height?: number, x?: number, y?: number, inset?: number }} grid in
 *   device pixels: the width of a cell, its height (the same if absent), where the first one starts; inset: the outermost
 *   pixels of a cell that may have another colour, such as those of a line between cells
 * @returns {Promise<Colour[]>}
 */
export function canvasCells(canvas, grid) {
  return canvas.evaluate(
    (element, { rows, columns, cell, height = cell, x = 0, y = 0, inset = 0 }) => {
      const { width: wide, height: high } = /** @type {HTMLCanvasElement} */ (element);
      const copy = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
      if (!copy) throw new Error("no canvas");
      copy.drawImage(/** @type {HTMLCanvasElement} */ (element), 0, 0);
      const pixels = new Uint32Array(copy.getImageData(0, 0, wide, high).data.buffer);
      /** @type {[number, number, number, number][]} */
      const colours = [];
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const [left, top] = [Math.round(x + column * cell), Math.round(y + row * height)];
          const [right, bottom] = [
            Math.round(x + (column + 1) * cell),
            Math.round(y + (row + 1) * height),
          ];
          if (right > wide || bottom > high)
            throw new Error(`the cell at ${row}, ${column} is outside of the canvas`);
          const first = pixels[(top + inset) * wide + left + inset];
          for (let at = top + inset; at < bottom - inset; at++) {
            for (let to = left + inset; to < right - inset; to++) {
              if (pixels[at * wide + to] !== first)
                throw new Error(`the cell at ${row}, ${column} has two colours`);
            }
          }
          colours.push([first & 255, (first >> 8) & 255, (first >> 16) & 255, (first >> 24) & 255]);
        }
      }
      return colours;
    },
    grid,
  );
}

/**
 * The cells of a table or a grid of elements, in the order of the document.
 * @param {Locator} cells @returns {Promise<{ background: Colour, color: Colour, text: string, label: string }[]>}
 */
export function elementCells(cells) {
  return cells.evaluateAll((elements) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    /** @returns {[number, number, number, number]} */
    const colour = (/** @type {string} */ css) => {
      if (!context) throw new Error("no canvas");
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = css;
      context.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
      return [red, green, blue, alpha];
    };
    return elements.map((element) => {
      const { backgroundColor, color } = getComputedStyle(element);
      return {
        background: colour(backgroundColor),
        color: colour(color),
        text: element.textContent?.trim() ?? "",
        label: element.getAttribute("aria-label") ?? element.getAttribute("title") ?? "",
      };
    });
  });
}

/**
 * Every cell has the colour of its value. A value of null is not drawn: its cell is transparent.
 * @param {readonly Colour[]} cells
 * @param {ArrayLike<number | null>} values of the API, in the order of the cells
 * @param {{ theme?: Theme, stretch?: Stretch, max?: number, tolerance?: number, where?: (at: number) => string }} [scale]
 *   max: the value at both ends of the signed scale; without it, the scale goes from 0 to 1. tolerance: of values, for those
 *   that were computed in another order
 */
export function assertColours(
  cells,
  values,
  { theme = "light", stretch = "linear", max, tolerance = 1e-6, where = (at) => `cell ${at}` } = {},
) {
  assert.equal(cells.length, values.length, "as many cells as values");
  assert.ok(cells.length > 0, "there are cells");
  cells.forEach(([red, green, blue, alpha], at) => {
    const value = values[at];
    if (value === null) return assert.equal(alpha, 0, `${where(at)} has no value`);
    const level =
      max === undefined
        ? levelOf([red, green, blue], theme)
        : signedLevelOf([red, green, blue], theme);
    assert.ok(
      level >= 0 && alpha === 255,
      `${where(at)}: ${[red, green, blue, alpha]} is no colour of the scale`,
    );
    const [low, high] =
      max === undefined ? valuesOf(level, stretch) : signedValuesOf(level, max, stretch);
    // The colours at the ends stand for everything beyond them.
    const isFirst = level === 0;
    const isLast = level === (max === undefined ? 255 : divergingColours(theme).length - 1);
    assert.ok(
      (isFirst || value >= low - tolerance) && (isLast || value <= high + tolerance),
      `${where(at)}: drawn as ${low} to ${high}, but the value is ${value}`,
    );
  });
}

// ---- the keyboard ----

/**
 * What has the focus, through shadow roots.
 * @param {Page} page @returns {Promise<{ tag: string, id: string, role: string, name: string, path: string }>}
 *   path: the elements around it, such as "scope-figure attention-view button"
 */
export function focused(page) {
  return page.evaluate(() => {
    /** @type {Element | null} */
    let element = document.activeElement;
    const path = [];
    while (element) {
      path.push(element.localName);
      const inner = /** @type {Element | null} */ (element.shadowRoot?.activeElement ?? null);
      if (!inner) break;
      element = inner;
    }
    const named = /** @type {any} */ (element);
    return {
      tag: element?.localName ?? "",
      id: element?.id ?? "",
      role: element?.getAttribute("role") ?? "",
      name: String(
        element?.getAttribute("aria-label") ??
          named?.labels?.[0]?.textContent ??
          element?.textContent ??
          "",
      )
        .replace(/\s+/g, " ")
        .trim()
        .slice(0, 120),
      path: path.join(" "),
    };
  });
}

/** @typedef {Awaited<ReturnType<typeof focused>>} Focused */

/**
 * Presses a key until what has the focus is what is wanted.
 * @param {Page} page @param {(focus: Focused) => boolean} isWanted @param {{ key?: string, most?: number, name?: string }} [options]
 * @returns {Promise<Focused>}
 */
export async function pressTo(page, isWanted, { key = "Tab", most = 150, name = "it" } = {}) {
  const passed = [];
  for (let count = 0; count <= most; count++) {
    const focus = await focused(page);
    if (isWanted(focus)) return focus;
    passed.push(`${focus.path} "${focus.name.slice(0, 30)}"`);
    await page.keyboard.press(key);
  }
  assert.fail(
    `${name} was not reached by ${most} presses of ${key}, which passed\n${passed.join("\n")}`,
  );
}

/**
 * Chooses a view with the keyboard alone: to the text with /, then Tab to the row of views and to the one, then Enter.
 * @param {Page} page @param {string} name
 */
export async function openViewByKeyboard(page, name) {
  const { title } = VIEWS[name];
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await pressTo(
    page,
    ({ path, name: words }) => /^scope-figure button$/.test(path) && words === title,
    {
      name: `the tab of the view ${name}`,
    },
  );
  await page.keyboard.press("Enter");
  await page.waitForFunction(
    (name) => /** @type {any} */ (document.querySelector("scope-figure"))?.view === name,
    name,
  );
  await ready(page);
}

/**
 * Fails if `act` used a pointer or clicked from a script: what it did was done with keys.
 * @param {Page} page @param {() => Promise<void>} act
 */
export async function byKeyboard(page, act) {
  await page.evaluate(() => {
    const own = /** @type {any} */ (globalThis);
    own.notByKeyboard = [];
    own.watchPointer = (/** @type {Event} */ event) => {
      const isPointer = event.type !== "click";
      if (isPointer || !event.isTrusted || /** @type {MouseEvent} */ (event).detail > 0)
        own.notByKeyboard.push(
          `${event.type} on ${/** @type {Element} */ (event.composedPath()[0]).localName}`,
        );
    };
    for (const type of ["pointerdown", "wheel", "click"])
      addEventListener(type, own.watchPointer, { capture: true, passive: true });
  });
  await act();
  const found = await page.evaluate(() => {
    const own = /** @type {any} */ (globalThis);
    for (const type of ["pointerdown", "wheel", "click"])
      removeEventListener(type, own.watchPointer, { capture: true });
    return own.notByKeyboard;
  });
  assert.deepEqual(found, [], "nothing but keys was used");
}
