// A token as it is shown and said: nothing about it hidden, nothing about it changed.

/**
 * One stretch of a token. `text` is what the token holds (and what copying gives);
 * `glyph` is what stands for it where the text itself cannot be seen.
 * @typedef {{ kind: "text" | "space" | "newline" | "code", text: string, glyph: string }} Piece
 */

const GLYPHS = new Map([[" ", "·"], ["\n", "⏎"], ["\t", "⇥"], ["\r", "␍"], ["\u00a0", "⍽"]]);
// Controls, and characters that hide or turn the text around them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]/;

/**
 * @param {string} string one token's text
 * @returns {Piece[]} whose texts joined are the string
 */
export function pieces(string) {
  /** @type {Piece[]} */
  const found = [];
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

/** @param {string} character @returns {Piece} */
function pieceOf(character) {
  const glyph = GLYPHS.get(character);
  if (character === "\n") return { kind: "newline", text: character, glyph: "⏎" };
  if (glyph) return { kind: "space", text: character, glyph };
  if (UNSEEN.test(character)) return { kind: "code", text: character, glyph: code(character) };
  return { kind: "text", text: character, glyph: character };
}

/** @param {string} character */
function code(character) {
  const hex = /** @type {number} */ (character.codePointAt(0)).toString(16).toUpperCase();
  return hex.length <= 2 ? `0x${hex.padStart(2, "0")}` : `U+${hex.padStart(4, "0")}`;
}

/** The token in one line, whitespace visible. @param {string} string */
export function shown(string) {
  return string === "" ? "∅" : pieces(string).map((piece) => piece.glyph).join("");
}

/** The same, cut to a number of characters. @param {string} string @param {number} most */
export function short(string, most) {
  const characters = [...shown(string)];
  return characters.length <= most ? characters.join("") : `${characters.slice(0, most - 1).join("")}…`;
}

/** The token for the ear: quoted, with words for what has no sound. @param {string} string */
export function said(string) {
  if (string === "") return "part of a character";
  if (string === "\n") return "newline";
  return `'${pieces(string).map(({ kind, text, glyph }) => (kind === "text" || text === " " ? text : glyph)).join("")}'`;
}

/** @param {number} value attention, said and shown with two decimals */
export function attention(value) {
  return value.toFixed(2);
}

/** @param {number} value a log-probability, with a true minus sign */
export function logProbability(value) {
  return value.toFixed(2).replace("-", "−");
}

/**
 * "query 31 ' moon', key 12 ' the', 0.83"
 * @param {readonly string[]} tokens @param {{ query: number, key: number }} pair @param {number} value
 */
export function sentence(tokens, { query, key }, value) {
  return `query ${query} ${said(tokens[query] ?? "")}, key ${key} ${said(tokens[key] ?? "")}, ${attention(value)}`;
}
