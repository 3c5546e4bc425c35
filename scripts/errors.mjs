#!/usr/bin/env node
// The messages of all errors that the code can raise, read from the sources: `node scripts/errors.mjs` prints them.
// tests/www/errors.test.js compares them with the table in docs/errors.md.
//
// A message is a string literal inside `Error::Kind(…)` in Rust or `createError("KindError", …)` in TypeScript, inside a Rust
// function or closure that returns an `Error`, or among the arguments of a call of one. Values that are filled in become "…".

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {{ name: string, message: string, file: string }} Message name: "" where a helper function decides */

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The kinds whose `Error.name` is not the kind with "Error" behind it. @type {Record<string, string>} */
const NAMES = { Candle: "InternalError", Json: "InternalError", TokenizersCrate: "TokenizerError" };

/** @returns {Promise<Message[]>} each once, by name and message */
export async function messages() {
  const rust = await sources("src", ".rs");
  const helpers = helpersIn(rust.map(({ text }) => text).join("\n"));
  const found = [
    ...rust.flatMap(({ file, text }) => inRust(text, helpers).map((one) => ({ ...one, file }))),
    ...(await sources("www", ".ts")).flatMap(({ file, text }) =>
      inJavaScript(text).map((one) => ({ ...one, file })),
    ),
  ];
  const unique = new Map(
    found
      .filter((one) => one.name === "AbortError" || isSentence(one.message))
      .map((one) => [`${one.name} ${one.message}`, one]),
  );
  return [...unique.values()].sort(
    (a, b) => a.name.localeCompare(b.name) || a.message.localeCompare(b.message),
  );
}

/** Not a separator, a unit or the name of a field. @param {string} message */
function isSentence(message) {
  return (message.match(/[a-z]{2,}/gi) ?? []).length >= 3;
}

/** @param {string} folder @param {string} extension */
async function sources(folder, extension) {
  const entries = await readdir(join(ROOT, folder), { recursive: true });
  const paths = entries.filter((path) => path.endsWith(extension)).sort();
  return Promise.all(
    paths.map(async (path) => ({
      file: `${folder}/${path}`,
      text: await readFile(join(ROOT, folder, path), "utf8"),
    })),
  );
}

/** The names of Rust functions that make errors, by the kind of error that they make. @param {string} text @returns {Map<string, string>} */
function helpersIn(text) {
  return makers(text, /\bfn (\w+)[^{};]*->\s*(?:crate::error::)?Error\s*\{/g);
}

/** The same for one file: its own functions and closures come before those of the same name elsewhere. @param {string} text @param {Map<string, string>} helpers */
function helpersOf(text, helpers) {
  const known = new Map([...helpers, ...helpersIn(text)]);
  return new Map([...known, ...makers(text, /\blet (\w+) = (?:move )?\|/g, known)]);
}

/** @param {string} text @param {RegExp} pattern @param {Map<string, string>} [known] @returns {Map<string, string>} */
function makers(text, pattern, known = new Map()) {
  const found = new Map();
  for (const { 0: start, 1: name, index } of text.matchAll(pattern)) {
    const after = text.slice(index + start.length, index + 800);
    const isBlock = start.endsWith("{") || /^[^|\n]*\| (?:-> \w+ )?\{\n/.test(after);
    const [body] = after.split(isBlock ? /\n {0,4}\}/ : /;\n/, 1);
    const call = [...body.matchAll(/\bError::([A-Z]\w+)\(|\b(\w+)\(/g)].find(
      ([, kind, helper]) => kind || known.has(helper),
    );
    if (call) found.set(name, call[1] ? errorName(call[1]) : known.get(call[2]));
  }
  return found;
}

/** @param {string} kind */
function errorName(kind) {
  return NAMES[kind] ?? `${kind}Error`;
}

/** @param {string} source @param {Map<string, string>} helpers @returns {Omit<Message, "file">[]} */
function inRust(source, helpers) {
  const text = source.replace(/#\[cfg\(test\)\][\s\S]*$/, "").replace(/^\s*\/\/.*$/gm, "");
  const calls = [...text.matchAll(/\bError::([A-Z]\w+)\(/g)].map(({ 1: kind, 0: call, index }) => ({
    name: errorName(kind),
    start: index + call.length,
  }));
  for (const [helper, name] of helpersOf(text, helpers)) {
    for (const { 0: call, index } of text.matchAll(new RegExp(`\\b${helper}\\(`, "g")))
      calls.push({ name, start: index + call.length });
  }
  return calls.flatMap(({ name, start }) =>
    rustLiterals(enclosed(text, start)).map((literal) => ({ name, message: plainRust(literal) })),
  );
}

/** What stands between a parenthesis that was opened before `start` and the one that closes it. @param {string} text @param {number} start */
function enclosed(text, start) {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"' && text[at - 1] !== "'") {
      for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at++;
    } else if (character === "`") {
      at = templateEnd(text, at);
    } else if ("([{".includes(character)) depth++;
    else if (")]}".includes(character) && --depth === 0) return text.slice(start, at);
  }
  return "";
}

/** Where a template literal that begins at `start` ends. @param {string} text @param {number} start */
function templateEnd(text, start) {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") return at;
    else if (text[at] === "$" && text[at + 1] === "{") at += 2 + enclosed(text, at + 2).length;
  }
  return text.length;
}

/** @param {string} text */
function rustLiterals(text) {
  return [...text.matchAll(/(?<!b|')"((?:[^"\\]|\\[\s\S])*)"/g)].map(({ 1: literal }) => literal);
}

/** @param {string} literal */
function plainRust(literal) {
  const escaped = literal
    .replace(/\\\n\s*/g, "")
    .replace(/\\n/g, " ")
    .replace(/\\(["\\])/g, "$1");
  return escaped
    .replace(/\{\{|\}\}|\{[^{}]*\}/g, (part) => (part === "{{" ? "{" : part === "}}" ? "}" : "…"))
    .trim();
}

/** @param {string} source @returns {Omit<Message, "file">[]} */
function inJavaScript(source) {
  const text = source.replace(/^\s*(?:\/\/|\*|\/\*\*).*$/gm, "");
  return [...text.matchAll(/\bcreateError\(\s*"(\w+)",\s*/g)].flatMap(
    ({ 0: call, 1: name, index }) => {
      const argument = enclosed(text, index + call.length);
      return javaScriptLiterals(argument).map((message) => ({ name, message }));
    },
  );
}

/** The literals of an expression, those inside of what is filled in left out. @param {string} text @returns {string[]} */
function javaScriptLiterals(text) {
  const found = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "`") {
      const end = templateEnd(text, at);
      found.push(plainTemplate(text.slice(at + 1, end)));
      at = end;
    } else if (text[at] === '"') {
      const start = ++at;
      while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      found.push(text.slice(start, at).replace(/\\(["\\])/g, "$1"));
    }
  }
  return found;
}

/** @param {string} template */
function plainTemplate(template) {
  let plain = "";
  for (let at = 0; at < template.length; at++) {
    if (template[at] === "$" && template[at + 1] === "{") {
      at += 2 + enclosed(template, at + 2).length;
      plain += "…";
    } else if (template[at] === "\\") plain += template[++at];
    else plain += template[at];
  }
  return plain.trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { name, message, file } of await messages())
    console.log(`${name}\t${message}\t${file}`);
}
