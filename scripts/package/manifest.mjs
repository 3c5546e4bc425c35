// The custom-elements manifest (https://github.com/webcomponents/custom-elements-manifest). Attributes come from the running
// classes, so they are those that lit observes; types, descriptions and events come from TypeScript, so they are those of the
// declarations.

import { readdirSync } from "node:fs";
import { resolve } from "node:path";

import ts from "@typescript/typescript6";

/** @typedef {import("lit").PropertyDeclaration} PropertyDeclaration */
/** @typedef {{ elementProperties: Map<string, PropertyDeclaration>, observedAttributes: string[] }} ElementClass */
/** A described type. @typedef {{ name: string, description?: string, type: { text: string } }} Described */

const SOURCES = resolve("www");
const FOLDER = resolve("www/elements");
const TAGS = readdirSync(`${FOLDER}/define`).map((name) => name.replace(/\.ts$/, ""));
/** What lit calls. */
const LIFECYCLE =
  /^(render|willUpdate|update|updated|firstUpdated|shouldUpdate|createRenderRoot|getUpdateComplete|\w+Callback)$/;

/** @returns {Promise<object>} the manifest */
export async function manifest() {
  const program = ts.createProgram(
    TAGS.map((tag) => `${FOLDER}/define/${tag}.ts`),
    { ...options(), noEmit: true },
  );
  const checker = program.getTypeChecker();
  const types = elementTypes(program, checker);
  const modules = [];
  for (const tag of TAGS) modules.push(await moduleOf(tag, types, checker));
  return { schemaVersion: "1.0.0", modules };
}

function options() {
  const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
  return ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ".").options;
}

/**
 * The type of each element, as HTMLElementTagNameMap has it.
 * @param {ts.Program} program @param {ts.TypeChecker} checker
 */
function elementTypes(program, checker) {
  const [first] = program.getRootFileNames();
  const map = checker
    .getSymbolsInScope(
      /** @type {ts.Node} */ (program.getSourceFile(first)),
      ts.SymbolFlags.Interface,
    )
    .find(({ name }) => name === "HTMLElementTagNameMap");
  return (/** @type {string} */ tag) => {
    const symbol = map && checker.getDeclaredTypeOfSymbol(map).getProperty(tag);
    if (!symbol) throw new Error(`expected <${tag}> in HTMLElementTagNameMap`);
    return checker.getTypeOfSymbol(symbol);
  };
}

/**
 * @param {string} tag @param {(tag: string) => ts.Type} typeOf @param {ts.TypeChecker} checker
 */
async function moduleOf(tag, typeOf, checker) {
  await import(`${FOLDER}/define/${tag}.ts`);
  const element = /** @type {ElementClass | undefined} */ (
    /** @type {unknown} */ (customElements.get(tag))
  );
  const type = typeOf(tag);
  const declaration = type.symbol.valueDeclaration;
  if (!element || !declaration || !ts.isClassDeclaration(declaration))
    throw new Error(`expected a class that defines <${tag}>`);
  const { name } = type.symbol;
  const path = `elements/${tag}.js`;
  const reference = { name, module: path };
  const found = membersOf(type, declaration, element, checker);
  return {
    kind: "javascript-module",
    path,
    declarations: [
      {
        kind: "class",
        name,
        description: headingOf(declaration, tag),
        tagName: tag,
        customElement: true,
        superclass: { name: "LitElement", package: "lit" },
        attributes: attributesOf(found, element),
        members: found,
        events: eventsOf(type, checker),
        slots: slotsOf(declaration),
      },
    ],
    exports: [
      { kind: "js", name, declaration: reference },
      { kind: "custom-element-definition", name: tag, declaration: reference },
    ],
  };
}

/** What the file's first comment says of the element. @param {ts.ClassDeclaration} declaration @param {string} tag */
function headingOf(declaration, tag) {
  const lines = declaration.getSourceFile().text.split("\n");
  const comment = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith("//")),
  );
  return comment
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join(" ")
    .replace(`<${tag}>: `, "");
}

/**
 * The public properties and methods that this project declares.
 * @param {ts.Type} type @param {ts.ClassDeclaration} declaration @param {ElementClass} element @param {ts.TypeChecker} checker
 */
function membersOf(type, declaration, element, checker) {
  const defaults = defaultsOf(declaration);
  return checker.getPropertiesOfType(type).flatMap((symbol) => {
    const [member] = symbol.declarations ?? [];
    if (
      !member?.getSourceFile().fileName.startsWith(SOURCES) ||
      isInternal(symbol, member, element)
    )
      return [];
    const described = describe(symbol, checker);
    if (ts.isMethodDeclaration(member)) return [{ kind: "method", ...described }];
    const isReadOnly = ts.isGetAccessor(member) && !symbol.declarations?.some(ts.isSetAccessor);
    const { attribute, reflect } = observed(symbol.name, element);
    return [
      {
        kind: "field",
        ...described,
        ...(defaults.has(symbol.name) && { default: defaults.get(symbol.name) }),
        ...(isReadOnly && { readonly: true }),
        ...(attribute !== undefined && { attribute }),
        ...(reflect && { reflects: true }),
      },
    ];
  });
}

/** @param {ts.Symbol} symbol @param {ts.Declaration} member @param {ElementClass} element */
function isInternal({ name, flags }, member, element) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (
    name.includes("#") ||
    LIFECYCLE.test(name) ||
    (ts.getCombinedModifierFlags(member) & hidden) !== 0 ||
    (flags & (ts.SymbolFlags.Property | ts.SymbolFlags.Accessor | ts.SymbolFlags.Method)) === 0 ||
    element.elementProperties.get(name)?.state === true
  );
}

/** The attribute of a property. @param {string} name @param {ElementClass} element */
function observed(name, element) {
  const declared = element.elementProperties.get(name);
  if (!declared || declared.attribute === false) return {};
  const attribute =
    typeof declared.attribute === "string" ? declared.attribute : name.toLowerCase();
  return { attribute, reflect: declared.reflect === true };
}

/** The values that the constructor assigns. @param {ts.ClassDeclaration} declaration */
function defaultsOf(declaration) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const statement of declaration.members.find(ts.isConstructorDeclaration)?.body?.statements ??
    []) {
    if (!ts.isExpressionStatement(statement) || !ts.isBinaryExpression(statement.expression))
      continue;
    const { left, right } = statement.expression;
    if (ts.isPropertyAccessExpression(left) && left.expression.kind === ts.SyntaxKind.ThisKeyword)
      found.set(left.name.text, right.getText());
  }
  return found;
}

/**
 * What the element observes: attributes of properties, and those that its class reads itself.
 * @param {object[]} members @param {ElementClass} element
 */
function attributesOf(members, element) {
  const fields = /** @type {(Described & { attribute?: string, default?: string })[]} */ (members);
  return element.observedAttributes.map((name) => {
    const field = fields.find(({ attribute }) => attribute === name);
    if (!field) return { name };
    const { name: fieldName, description, type, default: value } = field;
    const isFlag = element.elementProperties.get(fieldName)?.type === Boolean;
    return {
      name,
      fieldName,
      ...(description && { description }),
      type: isFlag ? { text: "boolean" } : type,
      ...(value !== undefined && { default: value }),
    };
  });
}

/** The events, from the type argument of TypedElement. @param {ts.Type} type @param {ts.TypeChecker} checker */
function eventsOf(type, checker) {
  const base = checker
    .getBaseTypes(/** @type {ts.InterfaceType} */ (type))
    .find(({ symbol }) => symbol.name === "TypedElement");
  const [events] = base ? checker.getTypeArguments(/** @type {ts.TypeReference} */ (base)) : [];
  return (events ? checker.getPropertiesOfType(events) : []).map((symbol) => {
    const { type, ...described } = describe(symbol, checker);
    return { ...described, type: { text: `CustomEvent<${type.text}>` } };
  });
}

/** @param {ts.ClassDeclaration} declaration */
function slotsOf(declaration) {
  const names = [...declaration.getText().matchAll(/<slot(?: name="([^"]+)")?/g)];
  return [...new Set(names.map(([, name = ""]) => name))].map((name) => ({ name }));
}

/** @param {ts.Symbol} symbol @param {ts.TypeChecker} checker @returns {Described} */
function describe(symbol, checker) {
  const description = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const text = checker.typeToString(
    checker.getTypeOfSymbol(symbol),
    undefined,
    ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias,
  );
  return { name: symbol.name, ...(description && { description }), type: { text } };
}
