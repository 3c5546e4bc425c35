// The tree of a model as one HTML file without network and wasm: modules, weights and hook points with their shapes, a search,
// and the pictures of weights that were open. Layers that are alike are written once, as a template, so that the file of a model
// with many layers stays small; its script makes a copy for each.

import { formatCount } from "../draw/format.js";
import { escapeMarkup } from "../draw/markup.js";
import { type OutlineNode, templateOf } from "./model-outline.js";

export interface OutlinePicture {
  /** of the weight */
  path: string;
  /** a data: URL of an image */
  source: string;
  /** what it shows */
  caption: string;
}

export interface OutlinePage {
  title: string;
  /** "4,338,816 parameters in 52 tensors" */
  total: string;
  outline: readonly OutlineNode[];
  pictures: readonly OutlinePicture[];
}

/** The file's text. */
export function outlinePage({ title, total, outline, pictures }: OutlinePage): string {
  const rows = outline.map(rowOf).join("\n");
  const figures = pictures.map(
    ({ path, source, caption }) =>
      `<figure data-path="${escapeMarkup(path)}"><img alt="" src="${escapeMarkup(source)}"><figcaption>${escapeMarkup(caption)}</figcaption></figure>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<style>${STYLE}</style>
<header>
<h1>${escapeMarkup(title)}</h1>
<p>${escapeMarkup(total)}</p>
<p class="tools"><label>search <input type="search" spellcheck="false" autocomplete="off"></label>
<button data-open="true">expand all</button> <button data-open="false">collapse all</button>
<output></output></p>
</header>
<main>
${rows}
</main>
<footer>An axis without a length depends on the text. “On request”: a point that is computed only if it is named. Made with Candlescope.</footer>
<div hidden>${figures.join("\n")}</div>
<script>${SCRIPT}</script>
</html>
`;
}

function rowOf(node: OutlineNode): string {
  const { kind, label, path, count, tensor, children, axes, layers, sameAs, onRequest } = node;
  const facts = [
    layers && `× ${layers.length}, alike`,
    axes && `[${axes.join(", ")}]`,
    onRequest && "on request",
    sameAs !== undefined && `the numbers of ${sameAs}`,
    tensor,
    kind !== "point" && count > 0 && formatCount(count),
  ].filter((fact) => typeof fact === "string");
  const line = `<code>${escapeMarkup(label)}</code> <span>${facts.map(escapeMarkup).join(" · ")}</span>`;
  if (kind === "layers") {
    const layer = rowOf(templateOf(node));
    return `<details><summary>${line}</summary>\n<template data-layers="${layers?.join(" ")}">${layer}</template>\n</details>`;
  }
  const names = `data-path="${escapeMarkup(path)}" data-tensor="${escapeMarkup(tensor ?? "")}"`;
  if (children.length === 0) return `<div class="${kind}" ${names}>${line}</div>`;
  return `<details ${names}><summary>${line}</summary>\n${children.map(rowOf).join("\n")}\n</details>`;
}

const STYLE = `
:root { color-scheme: light dark; --soft: light-dark(#665a50, #b3a796); --line: light-dark(#e3dcd0, #4a4139); --lit: light-dark(#f7e3bd, #5a4424); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; background: light-dark(#fcfaf5, #1c1814); color: light-dark(#33281f, #ece3d2); }
h1 { font-size: 1.3rem; margin: 0; }
code { font: 0.9em ui-monospace, Menlo, Consolas, monospace; }
input, button { font: inherit; }
main { overflow-wrap: anywhere; }
main div { padding-left: 1.1rem; }
details > :not(summary) { margin-left: 0.4rem; border-left: 1px solid var(--line); }
details > details { padding-left: 0.7rem; }
footer { margin-top: 1rem; }
summary { cursor: pointer; }
main span, footer, figcaption { color: var(--soft); font-size: 0.86em; }
main span { margin-left: 0.6em; }
.weight > code { font-weight: 600; }
figure { margin: 0.2rem 0 0.6rem; }
img { image-rendering: pixelated; min-height: 14px; min-width: 48px; max-width: 100%; border: 1px solid var(--line); }
.found > code, .found > summary > code { background: var(--lit); }
[hidden] { display: none; }
`;

// A name counts as found if what is searched for reaches into its last part, or into the checkpoint's name; a glob, if it matches
// all of one: as in outline-rows.ts.
const SCRIPT = `
for (const template of document.querySelectorAll("template")) {
  for (const layer of template.dataset.layers.split(" ")) {
    const copy = template.content.cloneNode(true);
    for (const { dataset } of copy.querySelectorAll("[data-path]"))
      for (const name of ["path", "tensor"]) dataset[name] = dataset[name].replaceAll("{layer}", layer);
    for (const part of copy.querySelectorAll("code, span")) part.textContent = part.textContent.replaceAll("{layer}", layer);
    template.before(copy);
  }
  template.remove();
}
const all = [...document.querySelectorAll("main [data-path]")];
for (const figure of document.querySelectorAll("figure"))
  all.find((row) => row.dataset.path === figure.dataset.path)?.append(figure);
const groups = document.querySelectorAll("main details");
groups.forEach((group) => { group.open = group.dataset.path === undefined || group.querySelector("figure") !== null; });
for (const button of document.querySelectorAll("[data-open]"))
  button.addEventListener("click", () => groups.forEach((group) => { group.open = button.dataset.open === "true"; }));
document.querySelector("input").addEventListener("input", ({ target }) => {
  const wanted = target.value.trim().toLowerCase();
  const glob = /[*?]/.test(wanted) ? new RegExp("^" + wanted.replace(/[.+^\${}()|[\\]\\\\]/g, "\\\\$&").replaceAll("*", ".*").replaceAll("?", ".") + "$", "i") : null;
  const has = ({ path, tensor }) => {
    const label = /^blocks\\.\\d+$/.test(path) ? path : path.split(".").at(-1);
    if (glob) return glob.test(path) || glob.test(label) || (tensor !== "" && glob.test(tensor));
    const at = path.toLowerCase().lastIndexOf(wanted);
    return (at >= 0 && at + wanted.length > path.length - label.length) || tensor.toLowerCase().includes(wanted);
  };
  let found = 0;
  for (const row of all) {
    const isFound = wanted !== "" && has(row.dataset);
    row.classList.toggle("found", isFound);
    if (isFound) found += 1;
  }
  for (const row of [...all, ...groups]) {
    const isAround = row.querySelector(".found") !== null;
    row.hidden = wanted !== "" && !isAround && !row.classList.contains("found") && !row.parentElement.closest(".found");
    if (row.tagName === "DETAILS" && wanted !== "") row.open = isAround;
  }
  document.querySelector("output").textContent = wanted === "" ? "" : found + " found";
});
`;
