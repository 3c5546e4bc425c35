// What a figure lacks to draw what its attributes say.

import { createError } from "../../api/errors.js";

/** @param load the function that loads models. @returns a sentence; none if nothing is missing */
export function whatIsMissing(model: string, load: unknown): string[] {
  if (!model)
    return [
      '`model` is missing: give the address of a model\'s folder, or a Hugging Face id, as in `model="hf:openai-community/gpt2"`.',
    ];
  return load
    ? []
    : [
        "There is no function that loads models: import `figure.js` or `elements.js`, or set the property `load`.",
      ];
}

/**
 * What is said of a picture that is not the one that the attributes ask for, and never will be.
 * @param text of the picture
 */
export function formerPicture(text: string, changes: string): string {
  const characters = [...text.trim()];
  const short = characters.length > 60 ? `${characters.slice(0, 59).join("")}…` : text.trim();
  const changed = changes ? `, with ${changes}` : "";
  return `The dimmed picture is a former one, of “${short}”${changed}: what the attributes say could not be read.`;
}

/** The call, whose error names the attribute that it is about. */
export async function ofAttribute<T>(name: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const { name: kind, message } = error as Error;
    throw kind === "InputError"
      ? createError(kind, `\`${name}\`: ${message.replace(/^input: /, "")}`)
      : error;
  }
}
