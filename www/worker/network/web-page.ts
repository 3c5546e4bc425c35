// Whether a file is an HTML page: many hosts send one, with status 200, for an address that they do not have.

const PAGE = /^\s*<(?:!doctype|!--|\?xml|[a-z]+[\s>])/i;
/** White space and a tag fit in this many bytes. */
const HEAD_BYTES = 256;

/** @param chunks the first bytes of a file */
export function isPage(chunks: readonly Uint8Array[]): boolean {
  return PAGE.test(headOf(chunks));
}

/** Whether it takes more bytes to know. */
export function mayBecomePage(chunks: readonly Uint8Array[]): boolean {
  const head = headOf(chunks);
  return head.length < HEAD_BYTES && /^\s*(?:<[!?\w-]*)?$/.test(head) && !PAGE.test(head);
}

/** The first bytes as Latin-1, without a byte order mark. */
function headOf(chunks: readonly Uint8Array[]) {
  return chunks
    .map((chunk) => new TextDecoder("latin1").decode(chunk.subarray(0, HEAD_BYTES)))
    .join("")
    .slice(0, HEAD_BYTES)
    .replace(/^\u00ef\u00bb\u00bf/, "");
}
