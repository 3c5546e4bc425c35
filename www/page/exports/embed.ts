// Copies the HTML that shows the figure on another page: live, or as a snapshot.

import { escapeMarkup } from "../../draw/markup.js";
import { PAGE_FIELDS } from "../../elements/scope/fields.js";
import { VIEWS } from "../../elements/views/index.js";
import { write } from "../../state/address.js";
import { page, session, store } from "../state.js";
import type { PageExport } from "./entry.js";
import { dataScript } from "./data-script.js";
import { absent, snapshotOfPage } from "./snapshot.js";

const group = "HTML for another page";

const script = (name: string) =>
  `<script type="module" src="${escapeMarkup(new URL(name, document.baseURI).href)}"></script>`;

/** The state as attributes of <candle-scope>, which have the names and the forms of the page's address. */
function attributes(): string {
  const { layer, head } = page.figure;
  const settings = Object.fromEntries(
    Object.entries(VIEWS).map(([name, { settings }]) => [name, settings]),
  );
  const chosen = new URLSearchParams(write({ ...store.state, layer, head }, settings));
  const skipped = ["model", "prompt", "layer", "head", ...PAGE_FIELDS];
  const all = [
    ["model", session.model?.address ?? ""],
    ["prompt", store.state.prompt],
    ["layer", String(layer)],
    ["head", String(head)],
    ...[...chosen].filter(([name]) => !skipped.includes(name)),
  ];
  return all.map(([name, value]) => `${name.toLowerCase()}="${escapeMarkup(value)}"`).join(" ");
}

const live: PageExport = {
  name: "embed-live",
  group,
  title: "copy embed, live",
  says: "<candle-scope> in this state; the page that shows it loads the model",
  absent: () =>
    session.model && session.model.address === null
      ? "the model is from files of this computer: load it from an address"
      : null,
  make: async ({ written }) => {
    const caption = written ? `<p slot="caption">${escapeMarkup(written)}</p>` : "";
    const text = `${script("elements.js")}\n<candle-scope ${attributes()}>${caption}</candle-scope>\n`;
    return { text };
  },
};

const frozen: PageExport = {
  name: "embed-snapshot",
  group,
  title: "copy embed, snapshot",
  says: "<candle-snapshot> with the numbers in it; the page that shows it loads no model until a reader presses “run live”",
  absent,
  make: async ({ caption }) => ({
    text: `${script("snapshot.js")}\n<candle-snapshot>${dataScript(snapshotOfPage(caption))}</candle-snapshot>\n`,
  }),
};

export const EMBED_EXPORTS: readonly PageExport[] = [live, frozen];
