#!/usr/bin/env node
// The table of capabilities: for each method of `Model` and each of its options, where the page has it, and the parameter of the
// address that keeps it. Methods and options are read from the sources of the API; places are those that the list of views names,
// or are listed in capability-places.mjs.
//
//     npm run capabilities     writes docs/capabilities.md
//
// tests/tools/capabilities.test.js fails if a method or an option has no place, a place is listed for nothing, or the file is old.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "@typescript/typescript6";

import { VIEWS } from "../www/elements/views/index.ts";
import { FIELDS } from "../www/state/state.ts";
import { ACTIONS, METHODS, OPTIONS, OPTIONS_OF_ALL } from "./capability-places.mjs";

/** @typedef {{ where: string, address?: string }} Place */
/** @typedef {{ method: string, option: string, does: string, where: string, address: string }} Row */
/** @typedef {import("../www/elements/views/view.ts").ViewEntry} ViewEntry */

export const FILE = fileURLToPath(new URL("../docs/capabilities.md", import.meta.url));

/** @param {string} path */
function parse(path) {
  const file = new URL(`../www/api/${path}`, import.meta.url);
  return ts.createSourceFile(path, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
}

const generated = parse("generated.ts");
const options = parse("options.ts");
const snapshots = parse("snapshot/take.ts");

/** The first sentence of a declaration's comment. @param {ts.Node} node */
function sentence(node) {
  const [comment] = /** @type {any} */ (node).jsDoc ?? [];
  const text = ts.getTextOfJSDocComment(comment?.comment) ?? "";
  return text
    .replace(/\s+/g, " ")
    .split(/(?<=[.:;])\s/)[0]
    .replace(/[.:;]$/, "");
}

/** The interface of a name. @param {string} name */
function interfaceOf(name) {
  for (const { statements } of [generated, options, snapshots]) {
    for (const statement of statements)
      if (ts.isInterfaceDeclaration(statement) && statement.name.text === name) return statement;
  }
  return null;
}

/** The fields of a type of options, each with its sentence. @param {ts.TypeNode | undefined} type @returns {[string, string][]} */
function fieldsOf(type) {
  if (!type) return [];
  if (ts.isIntersectionTypeNode(type)) return type.types.flatMap(fieldsOf);
  if (ts.isTypeLiteralNode(type)) return type.members.flatMap(fieldOf);
  if (!ts.isTypeReferenceNode(type)) return [];
  const declared = interfaceOf(type.typeName.getText());
  const parents = declared?.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
  return [
    ...parents.flatMap((parent) =>
      (interfaceOf(parent.expression.getText())?.members ?? []).flatMap(fieldOf),
    ),
    ...(declared?.members ?? []).flatMap(fieldOf),
  ];
}

/** @param {ts.TypeElement} member @returns {[string, string][]} */
const fieldOf = (member) =>
  member.name ? [[member.name.getText().replace(/^"|"$/g, ""), sentence(member)]] : [];

/** The public methods of `Model`: name, sentence, and options with their sentences; an argument that is no record of options is one. */
export function methods() {
  const source = parse("model.ts");
  const model = source.statements.find(
    (node) => ts.isClassDeclaration(node) && node.name?.text === "Model",
  );
  /** @type {Map<string, { does: string, options: Map<string, string> }>} */
  const found = new Map();
  for (const member of /** @type {ts.ClassDeclaration} */ (model).members) {
    if (!ts.isMethodDeclaration(member) || ts.isPrivateIdentifier(member.name)) continue;
    const name = member.name.getText();
    const method = found.get(name) ?? { does: sentence(member), options: new Map() };
    found.set(name, method);
    for (const { name: argument, type } of member.parameters) {
      if (argument.getText() !== "options") method.options.set(argument.getText(), "");
      else
        for (const [option, does] of fieldsOf(type)) {
          if (!method.options.get(option)) method.options.set(option, does);
        }
    }
  }
  return found;
}

/** The actions of interventions, by the field or word that names them. */
export function actions() {
  const declared = generated.statements.find(
    (node) => ts.isTypeAliasDeclaration(node) && node.name.text === "Action",
  );
  const union = /** @type {ts.UnionTypeNode} */ (
    /** @type {ts.TypeAliasDeclaration} */ (declared).type
  );
  return union.types.map((type) =>
    ts.isTypeLiteralNode(type)
      ? (type.members[0].name?.getText() ?? "")
      : type.getText().replace(/"/g, ""),
  );
}

/** The fields that select what an intervention changes. */
export function selections() {
  return (interfaceOf("Intervention")?.members ?? [])
    .flatMap(fieldOf)
    .filter(([name]) => name !== "do");
}

/** The views that use a method. @param {string} method @returns {[string, ViewEntry][]} */
const viewsOf = (method) =>
  Object.entries(VIEWS).filter(([, entry]) => entry.methods.includes(method));

/** @param {string} name */
const tab = (name) => `tab “${VIEWS[name].title}”`;

/** Settings of views that have the name of an option and are something else. */
const UNRELATED = new Set(["two-prompts.of"]);

/** Options that are fields of the state under another name. @type {Record<string, string>} */
const FORMER = { clean: "prompt", input: "prompt" };

/** Where an option is, as far as the list of views and the state say it. @param {string} method @param {string} option @returns {Place | null} */
function placeOf(method, option) {
  const views = viewsOf(method);
  const settings = views.filter(
    ([name, entry]) => Object.hasOwn(entry.settings, option) && !UNRELATED.has(`${name}.${option}`),
  );
  if (settings.length > 0)
    return {
      where: settings.map(([name]) => tab(name)).join(", "),
      address: settings.map(([name]) => `${name}.${option}`).join(", "),
    };
  const field = FORMER[option] ?? option;
  const isOfState = Object.hasOwn(PLACES_OF_STATE, field) && views.length > 0;
  if (!isOfState) return null;
  const isUsed = {
    answer: "usesAnswer",
    against: "usesAnswer",
    position: "usesAnswer",
    corrupted: "usesCorrupted",
  }[option];
  if (isUsed && !views.some(([, entry]) => /** @type {any} */ (entry)[isUsed])) return null;
  return { where: PLACES_OF_STATE[field], address: field };
}

/** Where the page has the fields of its state. @type {Record<string, string>} */
const PLACES_OF_STATE = {
  prompt: "the text",
  corrupted: "the second prompt",
  answer: "“answer” above the view",
  against: "“wrong answer” above the view",
  position: "position of the answer",
  interventions: "interventions",
  layer: "the heads at the left",
  head: "the heads at the left",
};

/** The rows of the table, and what is wrong with it. */
export function capabilities() {
  /** @type {Row[]} */
  const rows = [];
  /** @type {string[]} */
  const problems = [];
  const used = new Set();
  const place = (/** @type {Record<string, Place>} */ list, /** @type {string} */ key) => {
    if (!Object.hasOwn(list, key)) return null;
    used.add(key);
    return list[key];
  };
  /** @param {Omit<Row, "where" | "address">} what @param {Place | null} found @param {string} name */
  const add = (what, found, name) => {
    if (!found?.where) problems.push(`${name} has no place on the page`);
    else rows.push({ ...what, where: found.where, address: found.address ?? "" });
  };
  for (const [method, { does, options }] of methods()) {
    const views = viewsOf(method);
    const tabs = views.map(([name]) => tab(name)).join(", ");
    const listed = place(METHODS, method);
    const where = [tabs, listed?.where].filter(Boolean).join("; ");
    const address = [...views.map(([name]) => `view=${name}`), listed?.address].filter(Boolean);
    add(
      { method, option: "", does },
      where ? { where, address: address.join(", ") } : null,
      method,
    );
    for (const [option, text] of options) {
      const key = `${method}.${option}`;
      const own = place(OPTIONS, key);
      const found = placeOf(method, option);
      if (own && found) problems.push(`${key} is listed, but the views have it: ${found.address}`);
      const general = own || found ? null : place(OPTIONS_OF_ALL, option);
      add({ method, option, does: text }, own ?? found ?? general, key);
    }
  }
  for (const action of actions())
    add({ method: "do", option: action, does: "" }, place(ACTIONS, action), `the action ${action}`);
  for (const [name, does] of selections())
    add(
      { method: "intervention", option: name, does },
      place(ACTIONS, `intervention.${name}`),
      `intervention.${name}`,
    );
  for (const list of [METHODS, OPTIONS, OPTIONS_OF_ALL, ACTIONS]) {
    for (const key of Object.keys(list))
      if (!used.has(key)) problems.push(`${key} is listed, but it is no method, option or action`);
  }
  for (const name of rows.flatMap(({ address }) => (address === "" ? [] : address.split(", ")))) {
    const [first, second] = name.split(/[.=]/);
    const isKnown =
      Object.hasOwn(FIELDS, first) ||
      first === "off" ||
      (Object.hasOwn(VIEWS, first) && Object.hasOwn(VIEWS[first].settings, second ?? ""));
    if (!isKnown) problems.push(`no address has the parameter ${name}`);
  }
  return { rows, problems };
}

/** The file. @param {readonly Row[]} rows */
export function render(rows) {
  const cell = (/** @type {string} */ text) => text.replaceAll("|", "\\|");
  const code = (/** @type {string} */ text) =>
    text === ""
      ? ""
      : text
          .split(", ")
          .map((name) => `\`${name}\``)
          .join(", ");
  const line = (/** @type {Row} */ { method, option, does, where, address }) =>
    `| ${option === "" ? `**\`${method}\`**` : `\`${option}\``} | ${cell(does)} | ${cell(where)} | ${code(address)} |`;
  const table = (/** @type {readonly Row[]} */ list) =>
    [
      "| | what it does | on the page | in the address |",
      "| --- | --- | --- | --- |",
      ...list.map(line),
    ].join("\n");
  const isOf = (/** @type {string} */ name) => rows.filter(({ method }) => method === name);
  const isIntervention = (/** @type {Row} */ { method }) =>
    method === "do" || method === "intervention";
  return `# What the library can do, and where the page has it

\`npm run capabilities\` writes this file from the sources: each method of \`Model\` with its options, the place on the page, and the
parameter of the address that keeps it. An empty last column means that an address does not carry it.

## Methods

${table(rows.filter((row) => !isIntervention(row)))}

## Interventions

The actions of an intervention:

${table(isOf("do"))}

What it changes:

${table(isOf("intervention"))}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rows, problems } = capabilities();
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
  writeFileSync(FILE, render(rows));
  console.log(`${rows.length} rows in docs/capabilities.md`);
}
