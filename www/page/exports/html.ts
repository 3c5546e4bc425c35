// Exports the figure as one HTML file that opens from a disk, alone or with the model in it.

import { gallery, state } from "../state.js";
import { type PageExport, proposedCaption } from "./entry.js";
import { type ModelInUse, whyNotContained } from "./model-contents.js";
import { absent, snapshotName, snapshotOfPage } from "./snapshot.js";

const group = "Page without a server";
const name = () => snapshotName().replace(/json$/, "html");
const standalone = () => import("./standalone.js");

function modelInUse(): ModelInUse {
  const { id, choices, tokenizer } = state;
  const choice = choices.get(id);
  if (!choice) throw new Error("no model is loaded");
  return { choice, tokenizer, bytes: gallery.models.find((one) => one.id === id)?.bytes ?? null };
}

const figure: PageExport = {
  name: "html",
  group,
  title: "HTML file",
  says: "the snapshot and the script that draws it: opens by double click, without a network",
  absent,
  size: async () => (await standalone()).figurePageBytes(snapshotOfPage(proposedCaption())),
  make: async ({ caption }) => ({
    name: name(),
    blob: await (await standalone()).figurePage(snapshotOfPage(caption)),
  }),
};

const live: PageExport = {
  name: "html-live",
  group,
  title: "HTML file, live",
  says: "the same with the model and WebAssembly in it: it computes without a network",
  absent: () => absent() ?? whyNotContained(modelInUse()),
  make: async ({ caption }) => ({
    name: name().replace(/\.html$/, "-live.html"),
    blob: await (await standalone()).livePage(snapshotOfPage(caption), modelInUse()),
  }),
};

export const HTML_EXPORTS: readonly PageExport[] = [figure, live];
