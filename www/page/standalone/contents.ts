// The files that an HTML file has in it: scripts of another type, compressed with gzip and written in base64.

/** The attribute that names a file. */
export const FILE = "data-file";

/** The folder of the model's files. */
export const MODEL = "model/";

/** In that folder: what was answered when the model was loaded on the page. */
export const OPTIONS = "options.json";

/** @throws if the page has no such file, or if it is damaged */
export async function readContents(name: string, type = ""): Promise<Blob> {
  const script = document.querySelector(`script[${FILE}="${CSS.escape(name)}"]`);
  const binary = atob(script?.textContent?.trim() ?? "");
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Blob([await new Response(stream).arrayBuffer()], { type });
}

/** The names of the files that begin so. */
export function contentsIn(folder: string): string[] {
  const scripts = document.querySelectorAll(`script[${FILE}^="${CSS.escape(folder)}"]`);
  return Array.from(scripts, (script) => script.getAttribute(FILE) ?? "");
}
