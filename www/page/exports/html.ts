// Exports the figure as one HTML file that opens from a disk, alone or with the model in it.

import { session } from "../state.js";
import { type PageExport, proposedCaption } from "./entry.js";
import { absent, snapshotName, snapshotOfPage } from "./snapshot.js";

const group = "Page without a server";
const name = () => snapshotName().replace(/json$/, "html");
const standalone = () => import("./standalone.js");

const figure: PageExport = {
  name: "html",
  group,
  title: "HTML file",
  says: "the snapshot and the script that draws it: opens by double click, without a network",
  absent,
  size: async () => (await (await standalone()).figurePage(snapshotOfPage(proposedCaption()))).size,
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
  absent: () =>
    absent() ??
    (session.model?.address === null
      ? "the model is from files of this computer: load it from an address"
      : null),
  make: async ({ caption }) => ({
    name: name().replace(/\.html$/, "-live.html"),
    blob: await (await standalone()).livePage(snapshotOfPage(caption)),
  }),
};

export const HTML_EXPORTS: readonly PageExport[] = [figure, live];
