// The host that a model source would be loaded from. A link can name any host, so the page asks for consent before it sends
// a request to another origin.

import { listFiles } from "../api/model-files.js";
import { resolveSource } from "../api/source.js";

/**
 * @param base the page's address
 * @returns the host with its port; null if every file is on the page's own origin, or the source names none
 */
export function foreignHost(source: string, base: string): string | null {
  try {
    const { origin } = new URL(base);
    const addresses = listFiles(resolveSource(source, base)).flatMap((file) =>
      file?.address ? [new URL(file.address)] : [],
    );
    const foreign = addresses.find((address) => address.origin !== origin);
    return foreign ? foreign.host || foreign.protocol : null;
  } catch {
    return null; // not a source: loading it sends no request and says what is wrong
  }
}
