// Whether the parts of a text in a snapshot are those of one text: "run live" reads the text, and the figure shows the tokens.

import type { SnapshotModel, SnapshotText } from "../../api/snapshot/format.js";
import { textOf } from "../../draw/token.js";
import { wrongField } from "./check.js";

/** @param path of the text: "reading" or "corrupted" */
export function checkSameText(found: SnapshotText, { config }: SnapshotModel, path: string) {
  const { ids, tokens, text, isIds, dropped } = found;
  const vocabulary = Number(config.vocab_size);
  ids.forEach((id, at) => {
    if (id >= vocabulary)
      throw wrongField(
        `${path}.ids[${at}]`,
        id,
        `less than ${vocabulary}, the size of the vocabulary`,
      );
  });
  const fits = isIds
    ? areNumbers(text, ids, dropped)
    : isJoined(text, tokens.map(textOf), dropped > 0);
  if (!fits) throw wrongField(`${path}.text`, text, "the text of `ids` and `tokens`");
}

function areNumbers(text: string, ids: readonly number[], dropped: number) {
  const numbers = text.match(/\d+/g) ?? [];
  const read = numbers.slice(dropped);
  return read.length === ids.length && read.every((one, at) => Number(one) === ids[at]);
}

/** A token that does not say which characters it holds: a part of one, or one that the vocabulary lacks. */
const UNKNOWN = /\ufffd|^(<unk>|\[UNK\])$/;

/** The tokens are those of a text, or of its end. Tokens between two that do not say their text are not compared. */
function isJoined(text: string, tokens: readonly string[], isEnd: boolean) {
  const unknown = tokens.flatMap((token, at) => (UNKNOWN.test(token) ? [at] : []));
  const whole = folded(text);
  const start = folded(tokens.slice(0, unknown[0]).join(""));
  const end = folded(tokens.slice((unknown.at(-1) ?? -1) + 1).join(""));
  if (!whole.endsWith(end)) return false;
  if (isEnd) return true;
  return unknown.length === 0 ? whole === start : whole.startsWith(start);
}

/** A tokenizer may change spaces, case and accents of a text before it splits it. */
function folded(text: string) {
  return text
    .normalize("NFKD")
    .replace(/[\p{M}\s\u2581]/gu, "")
    .toLowerCase();
}
