// A snapshot inside of a page.

import type { Snapshot } from "../../api/snapshot/format.js";

/** A script that no text in the snapshot can end. */
export function dataScript(snapshot: Snapshot) {
  const text = JSON.stringify(snapshot).replaceAll("<", "\\u003c");
  return `<script type="application/json">${text}</script>`;
}
