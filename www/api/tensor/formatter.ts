// How Chrome's console shows a tensor, if "Custom formatters" are on in the settings of DevTools: a line with its axes, its name and
// its first numbers, which opens to the text that toString gives.
//
// Without custom formatters, a console shows the fields of an object. It reads no getter, and text stored at construction would be stale
// after a write to `data`.

import { heading, number, printed, type Printable } from "./text.js";

/** An element as JsonML, which DevTools draws: a tag, its attributes, and its children. */
type JsonMl = [tag: string, attributes: Record<string, unknown>, ...children: unknown[]];

/** https://firefox-source-docs.mozilla.org/devtools-user/custom_formatters/ */
interface Formatter {
  header(value: unknown): JsonMl | null;
  hasBody(value: unknown): boolean;
  body(value: unknown): JsonMl | null;
}

/** The numbers in the line. */
const SHOWN = 6;

/** @param isTensor which values are shown in this way */
export function formatterOf(isTensor: (value: unknown) => value is Printable): Formatter {
  return {
    header: (value) => (isTensor(value) ? ["span", {}, line(value)] : null),
    hasBody: isTensor,
    body: (value) =>
      isTensor(value)
        ? [
            "div",
            { style: "margin-left: 12px; white-space: pre; font-family: monospace" },
            ["div", {}, printed(value)],
            ["div", {}, "data ", ["object", { object: value.data }]],
          ]
        : null,
  };
}

function line(values: Printable) {
  const { data } = values;
  const first = Array.from(data.subarray(0, SHOWN), (value) => number(value, data));
  const more = data.length > SHOWN ? ", …" : "";
  return `${heading(values)}  ${first.join(", ")}${more}`;
}

/** Adds the formatter to those of the page. Without a page there is no console that reads it. */
export function addFormatter(isTensor: (value: unknown) => value is Printable): void {
  if (!("document" in globalThis)) return;
  const page = globalThis as { devtoolsFormatters?: Formatter[] };
  page.devtoolsFormatters = [...(page.devtoolsFormatters ?? []), formatterOf(isTensor)];
}
