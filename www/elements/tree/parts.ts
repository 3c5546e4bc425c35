// The parts of a row of the tree.

import { html, type TemplateResult } from "lit";

import { formatCount } from "../../draw/format.js";
import type { Thumbnail } from "../../draw/thumbnail.js";
import type { OutlinePicture } from "../../session/outline-page.js";
import type { OutlineRow, Span } from "../../session/outline-rows.js";
import type { WeightPicture } from "../../session/weight-picture.js";

/** What a row is, for screen readers: a weight is bold. */
export const KINDS = { module: "module", layers: "layers", weight: "weight", point: "hook point" };

/** Pixels of a picture at most. */
export const PICTURE = { maxWidth: 320, maxHeight: 120 };
/** CSS pixels to which a small picture is enlarged, and of each side at least: a vector is a line. */
const ENLARGED = { width: 320, height: 96 };
const MIN_SIDE = 14;

/** What there is to know of a row beside its name. */
export function renderFacts({ node, match }: OutlineRow) {
  const { axes, tensor, dtype, sameAs, onRequest, layers } = node;
  const facts: (string | TemplateResult)[] = [];
  if (layers) facts.push(`× ${layers.length}, alike`);
  if (axes) facts.push(html`<span class="mono">[${axes.join(", ")}]</span>`);
  if (onRequest)
    facts.push(
      html`<span class="badge" title="Computed only if its name asks for it">on request</span>`,
    );
  if (sameAs !== undefined) facts.push(`the numbers of ${sameAs}`);
  if (tensor !== undefined)
    facts.push(
      html`<span class="mono" title="its tensor in the checkpoint">${marked(tensor, match?.tensor)}</span>`,
    );
  if (dtype !== undefined && dtype !== "f32") facts.push(`in ${dtype}`);
  return facts.map((fact) => html`<span>${fact}</span>`);
}

/** What was found, and the status message of the last action. @param found null without a search */
export function statusText(found: number | null, rows: readonly OutlineRow[], status: string) {
  if (found === null) return status;
  const isOnce = rows.filter(({ match }) => match).length < found;
  const count = `${formatCount(found)} found${isOnce ? ", those of layers that are alike shown once" : ""}`;
  return status ? `${count}; ${status}` : count;
}

/** The name, with what was searched for marked. */
export function renderName({ node: { label }, match }: OutlineRow) {
  return html`<span class="name mono">${marked(label, match?.label)}</span>`;
}

function marked(text: string, span: Span | null | undefined) {
  if (!span) return text;
  const [from, to] = span;
  return html`${text.slice(0, from)}<mark>${text.slice(from, to)}</mark>${text.slice(to)}`;
}

/** @param picture null while it is read, a text if it cannot be, undefined if there is none */
export function renderPicture(path: string, picture: WeightPicture | string | null | undefined) {
  if (picture === undefined) return "";
  if (picture === null) return html`<div class="picture" role="status">reading …</div>`;
  if (typeof picture === "string") return html`<div class="picture" role="alert">${picture}</div>`;
  return html`<div class="picture"><canvas role="img" aria-label=${picture.sentence} data-path=${path}></canvas><span>${picture.sentence}.</span></div>`;
}

/** Draws a picture, enlarged if it is small. */
export function paint(canvas: HTMLCanvasElement, { width, height, pixels }: Thumbnail) {
  const scale = Math.max(1, Math.floor(Math.min(ENLARGED.width / width, ENLARGED.height / height)));
  Object.assign(canvas, { width, height });
  const [wide, high] = [Math.max(width * scale, MIN_SIDE), Math.max(height * scale, MIN_SIDE)];
  Object.assign(canvas.style, { width: `${wide}px`, height: `${high}px` });
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(width, height);
  new Uint32Array(image.data.buffer).set(pixels);
  context.putImageData(image, 0, 0);
}

/** The pictures that are there, as images for an export. */
export function picturesOf(
  pictures: ReadonlyMap<string, WeightPicture | string | null>,
  drawn: (picture: WeightPicture) => Thumbnail,
): OutlinePicture[] {
  return [...pictures].flatMap(([path, picture]) => {
    if (picture === null || typeof picture === "string") return [];
    const canvas = document.createElement("canvas");
    paint(canvas, drawn(picture));
    return [{ path, source: canvas.toDataURL(), caption: picture.sentence }];
  });
}
