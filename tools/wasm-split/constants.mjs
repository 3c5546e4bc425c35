// Which constants each function of a linked module refers to. Comes in: what `wasm-ld --emit-relocs` writes, with names. The linker
// lists every place in code and data that holds an address, and the symbol that it points to, so nothing is guessed.
// https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md

import { items, leb, SECTION, sectionsOf } from "./binary.mjs";

/** Addresses in memory: `end` is behind the last. @typedef {{ start: number, end: number }} Range */
/** @typedef {{ offset: number, symbol: number }} Relocation */
/** @typedef {{ start: number, end: number } | { function: number } | null} Target */

const SYMBOL_TABLE = 8;
const [KIND_DATA, KIND_SECTION] = [1, 3];
const [UNDEFINED, EXPLICIT_NAME] = [0x10, 0x40];
/** Types of relocations that are addresses in memory, and all types that are followed by an addend. */
const ADDRESSES = new Set([3, 4, 5, 11, 14, 15, 16, 17, 21, 22, 23]);
const WITH_ADDEND = new Set([...ADDRESSES, 8, 9]);
const FUNCTION_IMPORT = 0;
const FUNCTION_EXPORT = 0;
const FUNCTION_NAMES = 1;

/** Functions that wasm-bindgen writes around others. They refer to no constants. */
const SHIM = / (externref|multivalue) shim$/;
/** At the end of the names of a crate's exports. */
const CRATE_HASH = /_[0-9a-f]{16}$/;

/** Reads numbers and texts one after the other. */
class Reader {
  /** @param {Buffer} bytes @param {number} [at] */
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  get isAtEnd() {
    return this.at >= this.bytes.length;
  }
  byte() {
    return this.bytes[this.at++];
  }
  number() {
    const [value, end] = leb(this.bytes, this.at);
    this.at = end;
    return value;
  }
  text() {
    const length = this.number();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }
  /** The next bytes, which are skipped. @param {number} length */
  part(length) {
    this.at += length;
    return new Reader(this.bytes.subarray(this.at - length, this.at));
  }
}

/** The body of a custom section behind its name. @param {Buffer} wasm @param {string} name @returns {Buffer} */
function customSection(wasm, name) {
  for (const { id, body } of sectionsOf(wasm)) {
    if (id !== 0) continue;
    const reader = new Reader(body);
    if (reader.text() === name) return body.subarray(reader.at);
  }
  throw new Error(`expected a section \`${name}\`: link with --emit-relocs, and keep names`);
}

/** @param {Buffer} wasm @param {number} id @returns {Buffer} */
function sectionOf(wasm, id) {
  const section = sectionsOf(wasm).find((one) => one.id === id);
  if (!section) throw new Error(`expected a section ${id}`);
  return section.body;
}

/** Imported functions, by the names of their imports. @param {Buffer} wasm */
function importsOf(wasm) {
  const reader = new Reader(sectionOf(wasm, SECTION.import));
  return Array.from({ length: reader.number() }, () => {
    reader.text();
    const name = reader.text();
    if (reader.byte() !== FUNCTION_IMPORT) throw new Error("expected only functions as imports");
    reader.number();
    return name;
  });
}

/**
 * The names of functions, by the section `name`. A function that wasm-bindgen added may have none.
 * @param {Buffer} wasm @returns {{ imported: Set<string | undefined>, defined: (string | undefined)[] }}
 */
export function functionNames(wasm) {
  const imports = importsOf(wasm);
  const reader = new Reader(customSection(wasm, "name"));
  /** @type {(string | undefined)[]} */
  const names = Array(imports.length + leb(sectionOf(wasm, SECTION.function), 0)[0]).fill(
    undefined,
  );
  while (!reader.isAtEnd) {
    const kind = reader.byte();
    const part = reader.part(reader.number());
    if (kind !== FUNCTION_NAMES) continue;
    for (let count = part.number(); count > 0; count--) {
      const index = part.number();
      names[index] = part.text();
    }
  }
  const [imported, defined] = [names.slice(0, imports.length), names.slice(imports.length)];
  return { imported: new Set([...imports, ...imported]), defined };
}

/** Exported functions, by the names that wasm-bindgen gives them: it removes the hash of the crate. @param {Buffer} wasm @returns {[string, number][]} */
function exportedFunctions(wasm) {
  const imported = importsOf(wasm).length;
  const reader = new Reader(sectionOf(wasm, SECTION.export));
  /** @type {[string, number][]} */
  const found = [];
  for (let count = reader.number(); count > 0; count--) {
    const name = reader.text();
    const kind = reader.byte();
    const index = reader.number() - imported;
    if (kind === FUNCTION_EXPORT && index >= 0) found.push([name.replace(CRATE_HASH, ""), index]);
  }
  return found;
}

/** Data segments: their addresses, and where their bytes are in the section. @param {Buffer} data */
export function segmentsOf(data) {
  const reader = new Reader(data);
  return Array.from({ length: reader.number() }, () => {
    if (reader.byte() !== 0 || reader.byte() !== 0x41)
      throw new Error("expected data segments with a constant address");
    const start = reader.number();
    if (reader.byte() !== 0x0b) throw new Error("expected the end of a data segment's address");
    const length = reader.number();
    const at = reader.at;
    reader.at += length;
    return { start, end: start + length, at };
  });
}

/** What each symbol is: addresses of data, or nothing that counts here. @param {Buffer} wasm @returns {(Range | null)[]} */
function symbolsOf(wasm) {
  const segments = segmentsOf(sectionOf(wasm, SECTION.data));
  const reader = new Reader(customSection(wasm, "linking"));
  reader.number(); // the version
  while (!reader.isAtEnd) {
    const kind = reader.byte();
    const part = reader.part(reader.number());
    if (kind === SYMBOL_TABLE)
      return Array.from({ length: part.number() }, () => symbol(part, segments));
  }
  throw new Error("expected a table of symbols in the section `linking`");
}

/** @param {Reader} reader @param {Range[]} segments @returns {Range | null} */
function symbol(reader, segments) {
  const kind = reader.byte();
  const flags = reader.number();
  if (kind === KIND_SECTION) {
    reader.number();
    return null;
  }
  if (kind !== KIND_DATA) {
    reader.number();
    if (!(flags & UNDEFINED) || flags & EXPLICIT_NAME) reader.text();
    return null;
  }
  reader.text();
  if (flags & UNDEFINED) return null;
  const segment = segments[reader.number()];
  const start = segment.start + reader.number();
  return { start, end: start + reader.number() };
}

/** The relocations of a section that are addresses in memory, in their order. @param {Buffer} wasm @param {string} name @returns {Relocation[]} */
function relocations(wasm, name) {
  const reader = new Reader(customSection(wasm, name));
  reader.number(); // the section
  const found = [];
  for (let count = reader.number(); count > 0; count--) {
    const type = reader.byte();
    const [offset, symbol] = [reader.number(), reader.number()];
    if (WITH_ADDEND.has(type)) reader.number();
    if (ADDRESSES.has(type)) found.push({ offset, symbol });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

/** The relocations between two offsets of a sorted list. @param {readonly Relocation[]} list @param {number} start @param {number} end */
function between(list, start, end) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].offset < start) low = middle + 1;
    else high = middle;
  }
  let last = low;
  while (last < list.length && list[last].offset < end) last += 1;
  return list.slice(low, last);
}

/**
 * @param {Buffer} linked
 * @returns {{ readOnly: Range, neededBy: (names: Iterable<string | undefined>) => Range[] }} `readOnly`: the addresses of constants; `neededBy`: the
 *   constants that these functions refer to, directly and through other constants
 */
export function constantsOf(linked) {
  const symbols = symbolsOf(linked);
  const inCode = relocations(linked, "reloc.CODE");
  const inData = relocations(linked, "reloc.DATA");
  const data = sectionOf(linked, SECTION.data);
  const segments = segmentsOf(data);
  const bodies = bodyRanges(sectionOf(linked, SECTION.code));
  /** @type {Map<string, number[]>} */
  const byName = new Map();
  const { imported, defined } = functionNames(linked);
  if (defined.includes(undefined)) throw new Error("expected a name of each linked function");
  const named = defined.map((name, index) => /** @type {[string, number]} */ ([name, index]));
  for (const [name, index] of [...named, ...exportedFunctions(linked)])
    byName.set(name, [...(byName.get(name) ?? []), index]);
  /** Whether wasm-bindgen wrote a function: it has no name, or puts a body in the place of an import. @param {string | undefined} name */
  const isGenerated = (name) => name === undefined || SHIM.test(name) || imported.has(name);

  /** The relocations in constants at these addresses. @param {Range} range */
  const inside = ({ start, end }) => {
    const segment = segments.find((one) => start >= one.start && end <= one.end);
    if (!segment) throw new Error(`no data segment has the addresses ${start} to ${end}`);
    const shift = segment.at - segment.start;
    return between(inData, start + shift, end + shift);
  };
  return {
    readOnly: segments[0],
    neededBy(names) {
      /** @type {Set<number>} */
      const found = new Set();
      for (const name of names) {
        if (isGenerated(name)) continue;
        const functions = byName.get(String(name));
        if (!functions) throw new Error(`the linked module has no function \`${name}\``);
        for (const index of functions)
          for (const { symbol } of between(inCode, ...bodies[index])) found.add(symbol);
      }
      // Each constant leads to others; a set is visited in the order in which it grows.
      for (const symbol of found) {
        const range = symbols[symbol];
        if (range) for (const relocation of inside(range)) found.add(relocation.symbol);
      }
      return [...found].flatMap((symbol) => symbols[symbol] ?? []);
    },
  };
}

/** Where each body is in the code section. @param {Buffer} code @returns {[number, number][]} */
function bodyRanges(code) {
  let at = leb(code, 0)[1];
  return items(code, (start) => {
    const [size, first] = leb(code, start);
    return first + size;
  }).map(({ length }) => {
    at += length;
    return [at - length, at];
  });
}
