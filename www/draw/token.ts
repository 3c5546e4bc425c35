// A token as it is shown and said: nothing about it hidden, nothing about it changed.

import { written } from "./not-a-number.js";

/** One stretch of a token. `text` is what the token holds (and what copying gives); `glyph` is what stands for it where the text itself cannot be seen. */
export type Piece = { kind: "text" | "space" | "newline" | "code"; text: string; glyph: string };

/** A token: its text; with its bytes where it holds only a part of a character, which the text alone cannot show. */
export type Token = string | { string: string; bytes: ArrayLike<number> };

const GLYPHS = new Map([
  [" ", "·"],
  ["\n", "⏎"],
  ["\t", "⇥"],
  ["\r", "␍"],
  ["\u00a0", "⍽"],
]);
// Controls, and characters that hide or turn the text around them.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]/;

/** What a token holds, and what copying gives. */
export function textOf(token: Token) {
  return typeof token === "string" ? token : token.string;
}

/**
 * The text of tokens that are followed by one more.
 * @param tokens of a text, in which a character's last token has its text
 * @param next by itself
 * @returns null if it would not end with a whole character
 */
export function continued(tokens: readonly Token[], next: Token): string | null {
  let text = "";
  /** The bytes of a character that has begun. */
  let begun: number[] = [];
  for (const token of tokens) {
    if (typeof token === "string") {
      text += token;
      begun = [];
    } else begun.push(...Array.from(token.bytes));
  }
  if (typeof next === "string") return begun.length > 0 ? null : text + next;
  try {
    return (
      text +
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        Uint8Array.of(...begun, ...Array.from(next.bytes)),
      )
    );
  } catch {
    return null;
  }
}

/** @returns whose texts joined are the token's text */
export function pieces(token: Token): Piece[] {
  const string = textOf(token);
  if (typeof token !== "string") {
    return [
      {
        kind: "code",
        text: string,
        glyph: Array.from(token.bytes, (byte) => `0x${hexadecimal(byte, 2)}`).join(" "),
      },
    ];
  }
  if (string === "") return [{ kind: "code", text: "", glyph: "∅" }];
  const found: Piece[] = [];
  for (const character of string) {
    const piece = pieceOf(character);
    const last = found.at(-1);
    if (last && last.kind === "text" && piece.kind === "text") {
      last.text += character;
      last.glyph += character;
    } else found.push(piece);
  }
  return found;
}

function pieceOf(character: string): Piece {
  const glyph = GLYPHS.get(character);
  if (character === "\n") return { kind: "newline", text: character, glyph: "⏎" };
  if (glyph) return { kind: "space", text: character, glyph };
  if (UNSEEN.test(character)) return { kind: "code", text: character, glyph: code(character) };
  return { kind: "text", text: character, glyph: character };
}

function code(character: string) {
  const point = character.codePointAt(0) as number;
  return point < 256 ? `0x${hexadecimal(point, 2)}` : `U+${hexadecimal(point, 4)}`;
}

function hexadecimal(value: number, digits: number) {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** The token in one line, whitespace visible. */
export function shown(token: Token) {
  return pieces(token)
    .map((piece) => piece.glyph)
    .join("");
}

/** The same, cut to a number of characters. */
export function short(token: Token, most: number) {
  const characters = [...shown(token)];
  return characters.length <= most
    ? characters.join("")
    : `${characters.slice(0, most - 1).join("")}…`;
}

/** The token for the ear: quoted, with words for what has no sound. */
export function said(token: Token) {
  if (token === "" || typeof token !== "string") return "part of a character";
  if (token === "\n") return "newline";
  return `'${pieces(token)
    .map(({ kind, text, glyph }) => (kind === "text" || text === " " ? text : glyph))
    .join("")}'`;
}

/**
 * A count with its thousands apart. (The browser's own formatting takes 70 ms the first time.)
 */
export function grouped(count: number) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param value attention, said and shown with two decimals */
export function attention(value: number) {
  return written(value, (finite) => finite.toFixed(2));
}

/** @param value a log-probability, with a true minus sign */
export function logProbability(value: number) {
  return written(value, (finite) => finite.toFixed(2));
}

/** @param digits significant ones */
export function precise(value: number, digits: number) {
  return written(value, (finite) => finite.toPrecision(digits));
}

/** "query 31 ' moon', key 12 ' the', 0.83" */
export function sentence(
  tokens: readonly Token[],
  { query, key }: { query: number; key: number },
  value: number,
) {
  return `query ${query} ${said(tokens[query] ?? "")}, key ${key} ${said(tokens[key] ?? "")}, ${attention(value)}`;
}
