// Copying a text. A browser may forbid it: the page is not the one in front, or has no permission.

/** What a page says if the browser forbids it. */
export const COPY_REFUSED = "the browser does not let this page copy";

/** @returns whether the text is in the clipboard */
export async function copyToClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // also without a secure context, where there is no clipboard
  }
}
