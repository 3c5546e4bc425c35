// A model as one tree: its modules, and in each the weights and the hook points, in the order of the forward pass. It follows
// from the lists of the model only, so that it serves every member of the family.

import type { Config, HookPoint, Parameter } from "../api/generated.js";

/** What is known of a model before it runs. */
export interface Outlined {
  config: Pick<Config, "n_head" | "n_embd" | "vocab_size"> & { n_inner?: number | null };
  hookPoints: readonly HookPoint[];
  parameters: readonly Parameter[];
}

export interface OutlineNode {
  kind: "module" | "point" | "weight" | "layers";
  /** its name in TransformerLens, such as blocks.0.attn.hook_q; of layers that are alike, with {layer} in place of the layer */
  path: string;
  /** the last part of the path */
  label: string;
  children: readonly OutlineNode[];
  /** the numbers in its weights; those of a matrix that is used twice count at its first use */
  count: number;
  /** "batch", "pos", "head: 4": the axes, with their lengths if the text does not decide them */
  axes?: readonly string[];
  /** of a weight: the tensor of the checkpoint that holds it */
  tensor?: string;
  /** of a weight: how it is kept in memory */
  dtype?: string;
  /** of a weight: the weight of the same numbers, if they are counted there */
  sameAs?: string;
  /** of a point: it is computed only if a name or an intervention asks for it */
  onRequest?: boolean;
  /** of layers that are alike: which ones */
  layers?: readonly number[];
}

/** A node while the tree is made. */
interface Draft extends OutlineNode {
  children: Draft[];
}

const BLOCK = /^blocks\.(\d+)$/;

/** The tree of a model. Consecutive layers that are alike are one node of the kind "layers". */
export function outlineOf(model: Outlined): OutlineNode[] {
  const root = draft("module", "");
  for (const { path, axes, ...weight } of weightsOf(model))
    Object.assign(place(root, path, "weight"), { axes, ...weight });
  const order: Map<string, number> = new Map();
  for (const { name, axes, onRequest } of model.hookPoints) {
    const parts = name.split(".");
    parts.forEach((_, i) => {
      const path = parts.slice(0, i + 1).join(".");
      if (!order.has(path)) order.set(path, order.size);
    });
    const lengths = axes.map((axis) => spelledAxis(axis, lengthOf(axis, model.config)));
    Object.assign(place(root, name, "point"), { axes: lengths, onRequest });
  }
  sort(root, order);
  sum(root);
  return withAlikeLayers(root.children);
}

/** The node and every node below it; of layers that are alike, those of each layer. */
export function* nodesOf(node: OutlineNode): Generator<OutlineNode> {
  if (node.kind !== "layers") yield node;
  for (const child of node.kind === "layers" ? unfolded(node) : node.children)
    yield* nodesOf(child);
}

/** The children of a node of layers, for one of them. */
export function inLayer(node: OutlineNode, layer: number): OutlineNode {
  const of = (name: string) => name.replaceAll("{layer}", String(layer));
  return {
    ...node,
    path: of(node.path),
    label: of(node.label),
    ...(node.tensor !== undefined && { tensor: of(node.tensor) }),
    children: node.children.map((child) => inLayer(child, layer)),
  };
}

/** One of the layers that a node stands for, with {layer} in place of its number. */
export function templateOf({ layers = [], children, count }: OutlineNode): OutlineNode {
  const name = "blocks.{layer}";
  return { kind: "module", path: name, label: name, children, count: count / layers.length };
}

/** Each of the layers that a node stands for. */
export function unfolded(node: OutlineNode): OutlineNode[] {
  const template = templateOf(node);
  return (node.layers ?? []).map((layer) => inLayer(template, layer));
}

/** Every weight under its name in TransformerLens, with what the tree says of it. */
function weightsOf({ parameters }: Outlined) {
  return parameters.flatMap(({ name: tensor, dtype, views }) =>
    views.map(({ name: path, shape, axes }, i) => ({
      path,
      axes: axes.map((axis, at) => spelledAxis(axis, shape[at])),
      tensor,
      dtype,
      // A tied embedding is the only tensor that two modules use as a whole.
      ...(i > 0 && path.startsWith("unembed.")
        ? { sameAs: views[0].name, count: 0 }
        : { count: shape.reduce((product, length) => product * length, 1) }),
    })),
  );
}

function draft(kind: OutlineNode["kind"], path: string): Draft {
  const block = BLOCK.test(path);
  return { kind, path, label: block ? path : path.replace(/^.*\./, ""), children: [], count: 0 };
}

/** The node at a path, made with the modules around it if they are missing. The layers are children of the root. */
function place(root: Draft, path: string, kind: OutlineNode["kind"]): Draft {
  const modules = path.split(".");
  let node = root;
  for (let i = 1; i <= modules.length; i++) {
    if (modules[0] === "blocks" && i === 1) continue;
    const at = modules.slice(0, i).join(".");
    let child = node.children.find((one) => one.path === at);
    if (!child) {
      child = draft(i === modules.length ? kind : "module", at);
      node.children.push(child);
    }
    node = child;
  }
  return node;
}

/** In the order of the forward pass: weights first in their module, then what fires, in its order. */
function sort(node: Draft, order: ReadonlyMap<string, number>) {
  const rank = ({ kind, path, label }: Draft) => {
    if (kind === "weight") return -1;
    // The embeddings have no point inside: hook_embed, which follows, is outside of embed.
    const inside = order.get(path) ?? (order.get(`hook_${label}`) ?? NaN) - 0.5;
    return Number.isNaN(inside) ? -1 : inside;
  };
  node.children.sort((a, b) => rank(a) - rank(b)); // stable: weights stay in the order of the parameters
  for (const child of node.children) sort(child, order);
}

function sum(node: Draft): number {
  if (node.kind === "module")
    node.count = node.children.reduce((count, child) => count + sum(child), 0);
  return node.count;
}

function withAlikeLayers(nodes: readonly OutlineNode[]): OutlineNode[] {
  const found: OutlineNode[] = [];
  for (const node of nodes) {
    const layer = Number(BLOCK.exec(node.path)?.[1] ?? NaN);
    if (Number.isNaN(layer)) {
      found.push(node);
      continue;
    }
    const template = asTemplate(node, layer);
    const last = found.at(-1);
    if (last?.kind === "layers" && alike(last.children, template.children)) {
      const layers = [...(last.layers ?? []), layer];
      found[found.length - 1] = { ...last, ...layersNode(layers, last.children, node.count) };
    } else found.push(layersNode([layer], template.children, node.count));
  }
  return found.map((node) =>
    node.kind === "layers" && node.layers?.length === 1 ? unfolded(node)[0] : node,
  );
}

function layersNode(
  layers: readonly number[],
  children: readonly OutlineNode[],
  count: number,
): OutlineNode {
  const label = `blocks.${layers[0]} … blocks.${layers.at(-1)}`;
  const path = `blocks.${layers[0]}…${layers.at(-1)}`;
  return { kind: "layers", path, label, layers, children, count: count * layers.length };
}

/** The node with {layer} in place of its layer. */
function asTemplate(node: OutlineNode, layer: number): OutlineNode {
  const template = (name: string) => name.replace(`blocks.${layer}`, "blocks.{layer}");
  return {
    ...node,
    path: template(node.path),
    label: template(node.label),
    ...(node.tensor !== undefined && { tensor: node.tensor.replace(`h.${layer}.`, "h.{layer}.") }),
    children: node.children.map((child) => asTemplate(child, layer)),
  };
}

function alike(one: readonly OutlineNode[], other: readonly OutlineNode[]) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The length of an axis of a hook point; undefined if the text decides it. */
export function lengthOf(
  axis: string,
  { n_head, n_embd, n_inner, vocab_size }: Outlined["config"],
) {
  const lengths: Record<string, number> = {
    head: n_head,
    d_model: n_embd,
    d_head: n_embd / n_head,
    d_mlp: n_inner ?? 4 * n_embd,
    vocab: vocab_size,
  };
  return lengths[axis];
}

function spelledAxis(axis: string, length: number | undefined) {
  return length === undefined ? axis : `${axis}: ${length}`;
}
