// The code of a cell as the body of an async function: what it declares is kept for later cells, imports are dynamic, and the
// value of a last expression is the result. Line numbers stay as they are.

import { type Node, parse, type Program } from "acorn";

export interface CellProgram {
  /** calls KEEP({ name, … }) after each statement, with the variables that exist by then */
  body: string;
  /** the names that it declares at its top level */
  declares: readonly string[];
  /** the names that it mentions and may need from cells before it */
  mentions: ReadonlySet<string>;
}

/** The name of the function that keeps variables, in the body of a cell. */
export const KEEP = "keepVariables$";

const OPTIONS = {
  ecmaVersion: "latest",
  sourceType: "module",
  allowAwaitOutsideFunction: true,
  allowReturnOutsideFunction: true,
} as const;

type Statement = Program["body"][number];
type Pattern = { type: string } & Node;

/**
 * @param known the variables of earlier cells; those that the code assigns to are kept too
 * @throws SyntaxError with `loc.line`
 */
export function readCell(code: string, known: readonly string[] = []): CellProgram {
  const program = parse(code, OPTIONS);
  const { body: statements } = program;
  const { mentions, assigns } = names(program);
  const declares = new Set<string>();
  const own = new Set(statements.flatMap(namesOf));
  const kept = new Set(known.filter((name) => assigns.has(name) && !own.has(name)));
  const functions: string[] = []; // they exist before the first statement
  let body = "";
  let end = 0;
  const last = statements.at(-1);
  for (const statement of statements) {
    body += code.slice(end, statement.start);
    end = statement.end;
    const text = code.slice(statement.start, statement.end);
    for (const name of namesOf(statement)) {
      declares.add(name);
      kept.add(name);
    }
    if (statement.type === "FunctionDeclaration") functions.push(...namesOf(statement));
    if (statement === last && statement.type === "ExpressionStatement") {
      // A comment may follow the expression on its line, but stands after the statement.
      const { start, end: stop } = statement.expression;
      body += `return (${code.slice(start, stop)});`;
    } else body += `${importOf(statement) ?? text};${keeping(kept)}`;
  }
  body += code.slice(end);
  return {
    body: `"use strict";${keeping(functions)}${body}`,
    declares: [...declares],
    mentions,
  };
}

const keeping = (names: Iterable<string>) => {
  const list = [...names].join(", ");
  return list === "" ? "" : `${KEEP}({ ${list} });`;
};

/** What a statement declares. */
function namesOf(statement: Statement): string[] {
  switch (statement.type) {
    case "VariableDeclaration":
      return statement.declarations.flatMap(({ id }) => bound(id as Pattern));
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return [statement.id.name];
    case "ImportDeclaration":
      return statement.specifiers.map(({ local }) => local.name);
    default:
      return [];
  }
}

/** The names that a pattern binds: `{ a, b: [c], ...d }` binds a, c and d. */
function bound(pattern: Pattern): string[] {
  const node = pattern as Pattern & {
    name: string;
    left: Pattern;
    argument: Pattern;
    value: Pattern;
    elements: (Pattern | null)[];
    properties: Pattern[];
  };
  switch (pattern.type) {
    case "Identifier":
      return [node.name];
    case "ObjectPattern":
      return node.properties.flatMap(bound);
    case "ArrayPattern":
      return node.elements.flatMap((element) => (element ? bound(element) : []));
    case "Property":
      return bound(node.value);
    case "AssignmentPattern":
      return bound(node.left);
    case "RestElement":
      return bound(node.argument);
    default:
      return [];
  }
}

/** An import as a declaration, because a function has none: what stands in a cell can also stand in a module. */
function importOf(statement: Statement): string | null {
  if (statement.type !== "ImportDeclaration") return null;
  const from = `await import(${statement.source.raw})`;
  const parts = statement.specifiers.map((one) => {
    if (one.type === "ImportNamespaceSpecifier") return `const ${one.local.name} = ${from}`;
    const name =
      one.type === "ImportDefaultSpecifier"
        ? "default"
        : one.imported.type === "Identifier"
          ? one.imported.name
          : (one.imported.raw ?? "");
    return `const { ${name}: ${one.local.name} } = ${from}`;
  });
  return parts.length > 0 ? parts.join("; ") : from;
}

/** Every name of the code that stands for a variable, and those that an assignment changes. */
function names(program: Program) {
  const mentions = new Set<string>();
  const assigns = new Set<string>();
  const visit = (node: Node & Record<string, unknown>) => {
    if (node.type === "Identifier") mentions.add(String(node.name));
    if (node.type === "AssignmentExpression")
      for (const name of bound(node.left as Pattern)) assigns.add(name);
    if (node.type === "UpdateExpression")
      for (const name of bound(node.argument as Pattern)) assigns.add(name);
    for (const [field, value] of Object.entries(node)) {
      // Names of fields are no variables; in `{ a }`, the value is.
      const isField = (field === "key" || field === "property") && !node.computed;
      if (isField || field === "imported" || field === "label") continue;
      for (const child of Array.isArray(value) ? value : [value])
        if (typeof child?.type === "string") visit(child);
    }
  };
  visit(program as Node & Program & Record<string, unknown>);
  return { mentions, assigns };
}
