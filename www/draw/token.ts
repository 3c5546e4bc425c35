// A token as text on the screen and for screen readers: invisible characters become visible, and no text is changed.

/**
 * A run of characters of a token. `text` is what the token holds, and what copying gives. `glyph` is drawn in its place
 * if the text itself is invisible.
 */
export type Piece = { kind: "text" | "space" | "newline" | "code"; text: string; glyph: string };

/** A token's text; with its bytes if it holds only part of a character, which text cannot represent. */
export type Token = string | { string: string; bytes: ArrayLike<number> };

const GLYPHS = new Map([
  [" ", "·"],
  ["\n", "⏎"],
  ["\t", "⇥"],
  ["\r", "␍"],
  ["\u00a0", "⍽"],
]);
// Control characters, and characters that hide or reorder the text around them.
const INVISIBLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression is there to find them
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]/;

/** The text of a token, and what copying gives. */
export function textOf(token: Token) {
  return typeof token === "string" ? token : token.string;
}

/**
 * The text of a token sequence followed by one more token.
 * @param tokens of a text; the last token of each character carries the character's text
 * @param next the added token, decoded separately
 * @returns null if the result would not end with a whole character
 */
export function continued(tokens: readonly Token[], next: Token): string | null {
  let text = "";
  /** Bytes of an incomplete character. */
  let pending: number[] = [];
  for (const token of tokens) {
    if (typeof token === "string") {
      text += token;
      pending = [];
    } else pending.push(...Array.from(token.bytes));
  }
  if (typeof next === "string") return pending.length > 0 ? null : text + next;
  try {
    return (
      text +
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        Uint8Array.of(...pending, ...Array.from(next.bytes)),
      )
    );
  } catch {
    return null;
  }
}

/** Splits a token into visible text and replaced characters. The pieces' texts join to the token's text. */
export function pieces(token: Token): Piece[] {
  const string = textOf(token);
  if (typeof token !== "string") {
    const glyph = Array.from(token.bytes, (byte) => `0x${hexadecimal(byte, 2)}`).join(" ");
    return [{ kind: "code", text: string, glyph }];
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
  if (INVISIBLE.test(character))
    return { kind: "code", text: character, glyph: codePoint(character) };
  return { kind: "text", text: character, glyph: character };
}

function codePoint(character: string) {
  const point = character.codePointAt(0) as number;
  return point < 256 ? `0x${hexadecimal(point, 2)}` : `U+${hexadecimal(point, 4)}`;
}

function hexadecimal(value: number, digits: number) {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** The token in one line, with whitespace visible. */
export function glyphs(token: Token) {
  return pieces(token)
    .map((piece) => piece.glyph)
    .join("");
}

/** The same, with an ellipsis if it is longer than `max` characters. */
export function truncate(token: Token, max: number) {
  const characters = [...glyphs(token)];
  return characters.length <= max
    ? characters.join("")
    : `${characters.slice(0, max - 1).join("")}…`;
}

/** The token for a screen reader: in quotation marks, with words for what cannot be pronounced. */
export function announced(token: Token) {
  if (token === "" || typeof token !== "string") return "part of a character";
  if (token === "\n") return "newline";
  return `'${pieces(token)
    .map(({ kind, text, glyph }) => (kind === "text" || text === " " ? text : glyph))
    .join("")}'`;
}

/** "query 31 ' moon', key 12 ' the', 0.83" */
export function describePair(
  tokens: readonly Token[],
  { query, key }: { query: number; key: number },
  value: string,
) {
  const side = (name: string, at: number) => `${name} ${at} ${announced(tokens[at] ?? "")}`;
  return `${side("query", query)}, ${side("key", key)}, ${value}`;
}
