// A copy of an element outside of the visible page, in the size and the theme of a file.

import { LitElement } from "lit";

import type { Theme } from "../../draw/scale.js";

/** What a page may set for its elements (styles.ts). */
const VARIABLES = ["paper", "sheet", "ink", "soft", "line", "flame", "glow", "prose", "mono"];

export interface StageOptions {
  /** CSS pixels */
  width: number;
  /** null for that of the element */
  theme: Theme | null;
}

/**
 * Calls `use` with a copy that has the element's properties and is as wide as it needs, but at least `width`.
 * @returns what `use` returns
 */
export async function onStage<T>(
  element: LitElement,
  options: StageOptions,
  use: (copy: LitElement) => T,
): Promise<T> {
  const stage = document.createElement("div");
  dress(stage, element, options);
  const copy = copyOf(element);
  stage.append(copy);
  document.body.append(stage);
  try {
    await settled(copy);
    const missing = expand(copy);
    if (missing > 0) {
      stage.style.width = `${options.width + missing}px`;
      await resized(copy);
    }
    return use(copy);
  } finally {
    stage.remove();
  }
}

/** In front of the page but transparent to the eye and the pointer, because browsers do not lay out what is hidden. */
function dress(stage: HTMLElement, element: Element, { width, theme }: StageOptions) {
  stage.inert = true;
  stage.setAttribute("aria-hidden", "true");
  const own = getComputedStyle(element);
  Object.assign(stage.style, {
    ...{
      position: "fixed",
      left: "0",
      top: "0",
      opacity: "0",
      zIndex: "-1",
      pointerEvents: "none",
    },
    ...{ width: `${width}px`, contain: "layout", fontSize: "16px" },
    colorScheme: theme ?? own.colorScheme,
  });
  // A page's colours belong to its own theme: another one has the elements' colours.
  for (const name of VARIABLES) {
    const isFont = name === "prose" || name === "mono";
    const value = theme === null || isFont ? own.getPropertyValue(`--cs-${name}`) : "initial";
    if (value !== "") stage.style.setProperty(`--cs-${name}`, value);
  }
  if (theme !== null) stage.style.setProperty("color", theme === "dark" ? "#eee" : "#222");
}

/** A new element of the same kind with the same properties, private state left out. */
function copyOf(element: LitElement): LitElement {
  const copy = document.createElement(element.localName) as LitElement & Record<string, unknown>;
  const { elementProperties } = element.constructor as typeof LitElement;
  for (const name of elementProperties.keys())
    if (name !== "width")
      copy[name as string] = (element as unknown as Record<PropertyKey, unknown>)[name];
  return copy;
}

/** Every Lit element in the copy and its shadow trees. */
function litElements(root: Element): LitElement[] {
  const found = root instanceof LitElement ? [root] : [];
  const inner = [...(root.shadowRoot?.children ?? []), ...root.children];
  return [...found, ...inner.flatMap(litElements)];
}

/** All updates are done: those of the copy may make elements that update in their turn. */
async function settled(copy: LitElement) {
  for (let isPending = true; isPending; ) {
    const elements = litElements(copy);
    await Promise.all(elements.map((one) => one.updateComplete));
    isPending =
      litElements(copy).some((one) => one.isUpdatePending) ||
      litElements(copy).length !== elements.length;
  }
}

/** Opens what scrolls, so that nothing is hidden. @returns CSS pixels that are missing in the width */
function expand(copy: LitElement) {
  let missing = 0;
  for (const element of innerElements(copy)) {
    const { overflowX, overflowY } = getComputedStyle(element);
    const scrolls = (overflow: string) => overflow === "auto" || overflow === "scroll";
    if (scrolls(overflowX)) missing = Math.max(missing, element.scrollWidth - element.clientWidth);
    if (scrolls(overflowY) && element.scrollHeight > element.clientHeight)
      element.style.maxHeight = element.style.height = "none";
  }
  return missing;
}

function innerElements(element: Element): HTMLElement[] {
  const children = [...(element.shadowRoot?.children ?? []), ...element.children];
  return children.flatMap((child) =>
    child instanceof HTMLElement ? [child, ...innerElements(child)] : [],
  );
}

/** Tells the elements their new size, which the browser would do in the next frame, and in a hidden tab never. */
async function resized(copy: LitElement) {
  for (const one of litElements(copy) as (LitElement & { width?: number })[]) {
    if ((one.constructor as typeof LitElement).elementProperties.has("width"))
      one.width = Math.floor(one.clientWidth);
    one.requestUpdate();
  }
  await settled(copy);
}
