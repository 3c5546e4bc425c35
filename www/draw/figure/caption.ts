// The caption of a figure: what it shows, of which model, and on which text.

import { textOf, type Token } from "../token.js";

export interface Caption {
  /** what the figure shows, in the writer's words */
  title?: string;
  model?: string;
  /** such as "1.3" */
  head?: string;
  text?: string;
}

/** A long text is shortened in a caption; the metadata of an SVG file has all of it. */
const MAX_TEXT = 160;

/**
 * "Induction. Head 1.3 of models/shakespeare on “To be, or not to be”."
 * @param changes what was changed in the model; a figure without it would be taken for one of the model as it is
 */
export function captionText(caption: string | Caption | undefined, changes: string = ""): string {
  const words = ofParts(caption);
  if (!changes || words.includes(changes)) return words;
  const end = !words || /[.!?…]$/.test(words) ? "" : ".";
  return `${words}${end} With ${changes}.`.trim();
}

function ofParts(caption: string | Caption | undefined): string {
  if (caption === undefined || typeof caption === "string") return caption ?? "";
  const { title, model, head, text } = caption;
  const characters = [...(text ?? "")];
  const short =
    characters.length > MAX_TEXT ? `${characters.slice(0, MAX_TEXT - 1).join("")}…` : text;
  const subject = [head && `Head ${head}`, model && (head ? `of ${model}` : model)]
    .filter(Boolean)
    .join(" ");
  const sentence = [subject, short && `${subject ? "on " : "On "}“${short.replace(/\s+/g, " ")}”`]
    .filter(Boolean)
    .join(" ");
  const end = title && /[.!?…]$/.test(title) ? "" : ".";
  return [title && `${title}${end}`, sentence && `${sentence}.`].filter(Boolean).join(" ");
}

/** The text of tokens as they are, for the metadata of a file. */
export function tokenTexts(tokens: readonly Token[]): (string | { bytes: number[] })[] {
  return tokens.map((token) =>
    typeof token === "string" ? textOf(token) : { bytes: Array.from(token.bytes) },
  );
}

/** Lines that are no wider than `width`. A word that is wider has a line of its own. */
export function wrapped(text: string, width: number, widthOf: (text: string) => number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    const longer = line ? `${line} ${word}` : word;
    if (line && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line ? [...lines, line] : lines;
}
