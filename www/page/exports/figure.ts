// Exports what the figure shows as a picture.

import type { FigureOptions } from "../../elements/export/figure.js";
import type { ScopeFigure } from "../../elements/scope-figure.js";
import { entryOf } from "../../elements/views/index.js";
import type { FigureView } from "../../elements/views/view.js";
import { page, session, state } from "../state.js";
import { type ExportContext, fileName, headOf, type PageExport } from "./entry.js";
import { type PageField, chosenValue } from "./fields.js";
import { shownViews, whyNotComputed } from "./shown.js";

const GROUP = "Picture";
/** The text, the heads and the views, one below the other. */
const WHOLE = "";

const PART: PageField = {
  name: "picture",
  group: GROUP,
  label: "of",
  fallback: "0",
  choices: () => [
    ...shownViews().map(
      ({ name }, at) => [String(at), `the view “${entryOf(name).title}”`] as const,
    ),
    [WHOLE, "the whole figure, with text, heads and next tokens"],
  ],
};

const THEME: PageField = {
  name: "theme",
  group: GROUP,
  label: "colours",
  fallback: "page",
  choices: () => [
    ["page", "as on this page"],
    ["light", "light"],
    ["dark", "dark"],
  ],
};

const WIDTH: PageField = {
  name: "width",
  group: GROUP,
  label: "width",
  fallback: "screen",
  choices: () => [
    ["screen", "as on this screen"],
    ["85mm", "85 mm, one column of a paper"],
    ["180mm", "180 mm, two columns"],
    ["254mm", "254 mm, a slide"],
  ],
};

const PAPER: PageField = {
  name: "paper",
  group: GROUP,
  label: "background",
  fallback: "paper",
  choices: () => [
    ["paper", "paper"],
    ["none", "transparent"],
  ],
};

export const FIGURE_FIELDS: readonly PageField[] = [PART, THEME, WIDTH, PAPER];

function part(): FigureView | ScopeFigure {
  const chosen = chosenValue(PART);
  return chosen === WHOLE ? page.figure : (shownViews()[Number(chosen)] ?? page.figure);
}

function absent(): string | null {
  const why = whyNotComputed();
  if (why) return why;
  const view = shownViews().at(Number(chosenValue(PART)));
  return view?.renderRoot.querySelector(".picture")?.childElementCount === 0
    ? "the view shows no picture"
    : null;
}

function options({ written }: ExportContext): FigureOptions {
  const [theme, width] = [chosenValue(THEME), chosenValue(WIDTH)];
  return {
    ...(theme !== "page" && { theme: theme as "light" | "dark" }),
    ...(width !== "screen" && { width }),
    background: chosenValue(PAPER) === "paper",
    caption: {
      title: written || titleOf(),
      model: state.name,
      head: headOf(viewOf()),
      text: session.reading?.text,
    },
  };
}

/** The view that the picture is of; the first one, if it is of the whole figure. */
function viewOf(): string {
  return shownViews()[Number(chosenValue(PART))]?.name ?? page.figure.view;
}

/** What the picture depends on beside the model and the text belongs to its caption. */
function titleOf() {
  const { title, usesCorrupted } = entryOf(viewOf());
  const second = usesCorrupted ? session.corrupted?.text : undefined;
  return [capitalized(title), second !== undefined && `compared with “${second}”`]
    .filter(Boolean)
    .join(", ");
}

function capitalized(text: string) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function nameOf(ending: string) {
  const head = headOf(viewOf());
  return `${fileName(state.name, viewOf(), ...(head ? [head] : []))}.${ending}`;
}

const svg: PageExport = {
  name: "svg",
  group: GROUP,
  title: "SVG",
  says: "for papers and drawing programs: cells as rectangles, text as text that can be searched and edited",
  absent,
  make: async (context) => ({
    name: nameOf("svg"),
    blob: new Blob([await part().toSVG(options(context))], { type: "image/svg+xml" }),
  }),
};

const png: PageExport = {
  name: "png",
  group: GROUP,
  title: "PNG",
  says: "for slides and messages: 300 pixels per inch in a print size, otherwise two pixels for each of the screen's",
  absent,
  make: async (context) => ({ name: nameOf("png"), blob: await part().toPNG(options(context)) }),
};

export const FIGURE_EXPORTS: readonly PageExport[] = [svg, png];
