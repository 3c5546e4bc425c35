// A server of one small model under many names, each with another fault, for faults.test.js.
//
// http://NAME.localhost:PORT/model/FILE is the model of the cell NAME: browsers resolve such hosts to this machine, and each
// has separate connections, so that a stalled cell does not delay others. http://localhost:PORT/dist/ is the built page.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { gzipSync } from "node:zlib";

import { DIST } from "./browser.js";
import { joined, parsed } from "./safetensors.js";
import { byteLevelTokenizer } from "./tokenizer-file.js";

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */
/** @typedef {"config" | "tokenizer" | "weights" | "index" | "shard"} Which the file with the fault; the last two are of a checkpoint in two files */
/**
 * @typedef {object} Exchange
 * @property {Request} request
 * @property {Response} response
 * @property {Buffer} content what the file holds
 * @property {number} attempt how often this file was asked for, this time included, since the fault was set
 */
/** Answers in place of the server; true if it did, else the file is sent as usual. @typedef {(exchange: Exchange) => boolean} Fault */
/** validators: how the server names the state of a file; ranges: whether it answers range requests. @typedef {{ which: Which, fault?: Fault, validators?: "etag" | "weak" | "time" | "none", ranges?: boolean, large?: boolean }} Cell */

const fixture = (/** @type {string} */ name) =>
  readFileSync(new URL(`../fixtures/plain/${name}`, import.meta.url));
const WEIGHTS = fixture("model.safetensors");
const NAMES = {
  config: "config.json",
  tokenizer: "tokenizer.json",
  weights: "model.safetensors",
  index: "model.safetensors.index.json",
  shard: "model-00002-of-00002.safetensors",
};
const FIRST_SHARD = "model-00001-of-00002.safetensors";

/** The name of the file that a cell's fault is about. @param {Which} which */
export const nameOf = (which) => NAMES[which];

/** @returns {Promise<FaultServer>} */
export async function serveFaults() {
  const server = new FaultServer();
  await server.listen();
  return server;
}

export class FaultServer {
  url = "";
  port = 0;
  /** @type {Map<string, Cell & { asked: { method: string, name: string, range?: string }[] }>} */
  #cells = new Map();
  /** What /release/NAME does. @type {Map<string, () => void>} */
  #held = new Map();
  #server = createServer(
    (request, response) =>
      void this.#answer(request, response).catch((error) => response.destroy(error)),
  );
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "localhost", () => resolve(undefined)));
    this.port = /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port;
    this.url = `http://localhost:${this.port}/`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The folder of a new cell, or of one with another fault. @param {string} name @param {Cell} cell */
  set(name, cell) {
    this.#cells.set(name, { ...cell, asked: [] });
    return `http://${name}.localhost:${this.port}/model`;
  }

  /** Half of the file; the connection ends when the page asks for /release/NAME of the cell: it has read what was sent. @type {Fault} */
  resetOnRelease = (exchange) =>
    half((response) => void this.#held.set(cellOf(exchange.request), () => response.destroy()))(
      exchange,
    );

  /** @param {string} name */
  asked(name) {
    return this.#cells.get(name)?.asked ?? [];
  }

  /** @param {Request} request @param {Response} response */
  async #answer(request, response) {
    const host = cellOf(request);
    const [, folder, file = ""] = new URL(request.url ?? "/", "http://localhost").pathname.split(
      "/",
    );
    for (const header of ["Origin", "Headers", "Methods"])
      response.setHeader(`Access-Control-Allow-${header}`, "*");
    response.setHeader("Access-Control-Expose-Headers", "*");
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    if (folder === "release") return void (this.#held.get(file)?.(), response.end());
    const cell = this.#cells.get(folder === "same" ? file : host);
    if (folder === "dist") return sendDist(request, response);
    if (folder === "policy") response.setHeader("Content-Security-Policy", "connect-src 'self'");
    if (folder === "policy") return sendDist(request, response);
    if (folder === "same" && cell) return this.#sendFile(cell, fileOf(request), request, response);
    if (folder === "model" && cell) return this.#sendFile(cell, file, request, response);
    response.writeHead(404).end();
  }

  /** @param {Cell & { asked: any[] }} cell @param {string} file @param {Request} request @param {Response} response */
  #sendFile(cell, file, request, response) {
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    cell.asked.push({ method: request.method ?? "", name: file, range: request.headers.range });
    const content = contentOf(file, cell);
    const attempt = cell.asked.filter(({ name }) => name === file).length;
    if (content) setValidators(response, cell, "1");
    if (
      file === NAMES[cell.which] &&
      cell.fault?.({ request, response, content: content ?? Buffer.alloc(0), attempt })
    )
      return;
    if (!content) return void response.writeHead(404).end();
    send(request, response, content, cell);
  }
}

/** The cell that a request's host names. @param {Request} request */
function cellOf({ headers }) {
  return (headers.host ?? "").replace(/\.?localhost:\d+$/, "");
}

/** The last part of /same/CELL/FILE. @param {Request} request */
function fileOf({ url = "/" }) {
  return new URL(url, "http://localhost").pathname.split("/")[3] ?? "";
}

/** @param {Response} response @param {Cell} cell @param {string} version */
export function setValidators(response, { validators = "etag" }, version) {
  if (validators === "etag") response.setHeader("ETag", `"v${version}"`);
  if (validators === "weak") response.setHeader("ETag", `W/"v${version}"`);
  if (validators === "time")
    response.setHeader("Last-Modified", new Date(1.7e12 + Number(version) * 1e6).toUTCString());
}

/** The whole file or the range that was asked for. @param {Request} request @param {Response} response @param {Buffer} content @param {Pick<Cell, "ranges">} [cell] */
export function send(request, response, content, { ranges = true } = {}) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  if (ranges) response.setHeader("Accept-Ranges", "bytes");
  if (first === undefined || !ranges) {
    response.writeHead(200, { "Content-Length": content.length });
    return void response.end(request.method === "HEAD" ? undefined : content);
  }
  const end = last ? Number(last) + 1 : content.length;
  response.writeHead(206, {
    "Content-Range": `bytes ${first}-${end - 1}/${content.length}`,
    "Content-Length": end - Number(first),
  });
  response.end(content.subarray(Number(first), end));
}

/** @param {Request} request @param {Response} response */
async function sendDist(request, response) {
  const path = new URL(request.url ?? "/", "http://localhost").pathname.replace(/^\/\w+/, "");
  if (path === "/empty.html")
    return void response
      .writeHead(200, { "Content-Type": "text/html" })
      .end("<!doctype html><title>Empty</title>");
  const types = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
  const body = await readFile(DIST + path).catch(() => undefined);
  if (!body) return void response.writeHead(404).end();
  response
    .writeHead(200, {
      "Content-Type":
        types[/** @type {keyof typeof types} */ (extname(path))] ?? "application/octet-stream",
    })
    .end(body);
}

// ---- what the files hold ----

/** @type {Map<string, Buffer | undefined>} */
const made = new Map();

/** @param {string} file @param {Cell} cell */
function contentOf(file, { which, large = false }) {
  const isSharded = which === "index" || which === "shard";
  const key = `${file} ${isSharded} ${large}`;
  if (!made.has(key)) made.set(key, make(file, isSharded, large));
  return made.get(key);
}

/** @param {string} file @param {boolean} isSharded @param {boolean} large */
function make(file, isSharded, large) {
  if (file === NAMES.config) return fixture("config.json");
  if (file === NAMES.tokenizer) return Buffer.from(JSON.stringify(tokenizer()));
  if (file === NAMES.weights && !isSharded) return large ? withPadding() : WEIGHTS;
  if (!isSharded) return undefined;
  const { header, data } = parsed(WEIGHTS);
  const names = Object.keys(header);
  const shardOf = (/** @type {number} */ place) => (place % 2 ? NAMES.shard : FIRST_SHARD);
  if (file === NAMES.index)
    return Buffer.from(
      JSON.stringify({
        weight_map: Object.fromEntries(names.map((name, place) => [name, shardOf(place)])),
      }),
    );
  const some = names.filter((_, place) => shardOf(place) === file);
  return some.length
    ? joined(
        some.map((name) => ({
          name,
          entry: header[name],
          part: data.subarray(...header[name].data_offsets),
        })),
      )
    : undefined;
}

/** The same weights with tensors between them that no model needs: their bytes are passed over by range requests. */
function withPadding() {
  const { header, data } = parsed(WEIGHTS);
  const known = Object.keys(header).map((name) => ({
    name,
    entry: header[name],
    part: data.subarray(...header[name].data_offsets),
  }));
  const mask = Buffer.alloc(3 << 20, 7);
  const padding = (/** @type {number} */ layer) => ({
    name: `transformer.h.${layer}.attn.bias`,
    entry: { dtype: "U8", shape: [mask.length] },
    part: mask,
  });
  const half = Math.ceil(known.length / 2);
  return joined([padding(0), ...known.slice(0, half), padding(1), ...known.slice(half)]);
}

/** As many tokens as the model has, each a printable character. */
function tokenizer() {
  return byteLevelTokenizer(
    Object.fromEntries(Array.from({ length: 61 }, (_, i) => [String.fromCharCode(33 + i), i])),
  );
}

// ---- faults ----

/** Answers so many times with a fault, then as usual. @param {Fault} fault @param {number} times @returns {Fault} */
export const atFirst = (fault, times) => (exchange) => exchange.attempt <= times && fault(exchange);

/** @param {number} code @param {Record<string, string>} [headers] @returns {Fault} */
export const status =
  (code, headers = {}) =>
  ({ response }) => (
    response.writeHead(code, headers).end([204, 205, 304].includes(code) ? undefined : "no"), true
  );

/** @type {Fault} */
export const page = ({ response }) => (
  response.removeHeader("ETag"),
  response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><p>Home"),
  true
);

/** @type {Fault} */
export const redirectLoop = ({ request, response }) => (
  response.writeHead(301, { Location: request.url ?? "/" }).end(), true
);

/** @type {Fault} */
export const resetBeforeHeaders = ({ request }) => (request.socket.destroy(), true);

/** @type {Fault} */
export const stallBeforeHeaders = () => true;

/** Half of the file, and then `after`. @param {(response: Response) => void} after @returns {Fault} */
const half =
  (after) =>
  ({ request, response, content }) => {
    const [, first = "0", last = ""] =
      /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const end = last ? Number(last) + 1 : content.length;
    const rest = content.subarray(Number(first), end);
    const headers = { "Content-Length": rest.length, "Accept-Ranges": "bytes" };
    if (request.headers.range)
      response.writeHead(206, {
        ...headers,
        "Content-Range": `bytes ${first}-${end - 1}/${content.length}`,
      });
    else response.writeHead(200, headers);
    response.write(rest.subarray(0, Math.ceil(rest.length / 2)), () => after(response));
    return true;
  };

/** The browser has what was sent before the connection ends. @type {Fault} */
export const resetInBody = half((response) => setTimeout(() => response.destroy(), 30));

/** @type {Fault} */
export const stallInBody = half(() => {});

/** A part of the file, and a length that says that it is all of it. @type {Fault} */
export const shortLength = ({ response, content }) => (
  response
    .writeHead(200, { "Content-Length": content.length >> 1 })
    .end(content.subarray(0, content.length >> 1)),
  true
);

/** All of the file, and a length that promises more. @type {Fault} */
export const longLength = ({ response, content }) => {
  response.writeHead(200, { "Content-Length": content.length + 10 });
  response.write(content, () => setTimeout(() => response.destroy(), 30));
  return true;
};

/** More bytes than the length promises. @type {Fault} */
export const longBody = ({ request, response, content }) => {
  const headers = Object.entries(response.getHeaders())
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  request.socket.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\n${headers}Content-Length: ${content.length}\r\n\r\n`),
      content,
      Buffer.from("more"),
    ]),
  );
  return true;
};

/** @type {Fault} */
export const gzip = ({ request, response, content }) => {
  const body = gzipSync(content);
  response
    .writeHead(200, { "Content-Encoding": "gzip", "Content-Length": body.length })
    .end(request.method === "HEAD" ? undefined : body);
  return true;
};

/** A little at a time, each in less than the timeout, all of it in more. @type {Fault} */
export const drip = ({ response, content }) => {
  response.writeHead(200, { "Content-Length": content.length });
  const size = Math.ceil(content.length / 8);
  const next = (/** @type {number} */ at) =>
    at < content.length
      ? void (response.write(content.subarray(at, at + size)), setTimeout(next, 300, at + size))
      : void response.end();
  next(0);
  return true;
};

/** @param {string} method @param {Fault} fault @returns {Fault} */
export const onlyFor = (method, fault) => (exchange) =>
  exchange.request.method === method && fault(exchange);

/** As usual, but another state of the file. @type {Fault} */
export const changed = ({ request, response, content }) => (
  setValidators(response, { which: "config" }, "2"), send(request, response, content), true
);

/** A range request is answered with another range, an error, all of the file, another state. @type {Record<string, Fault>} */
export const wrongRanges = {
  "another range": ({ request, response, content }) =>
    ranged(request, () =>
      response
        .writeHead(206, { "Content-Range": `bytes 0-9/${content.length}`, "Content-Length": 10 })
        .end(content.subarray(0, 10)),
    ),
  "another length": ({ request, response, content }) =>
    ranged(request, (first) =>
      response
        .writeHead(206, {
          "Content-Range": `bytes ${first}-${content.length - 1}/${content.length + 1}`,
        })
        .end(content.subarray(first)),
    ),
  "no content-range": ({ request, response, content }) =>
    ranged(request, (first) => response.writeHead(206).end(content.subarray(first))),
  416: ({ request, response, content }) =>
    ranged(request, () =>
      response.writeHead(416, { "Content-Range": `bytes */${content.length}` }).end(),
    ),
  "all of the file": ({ request, response, content }) =>
    ranged(request, () =>
      response.writeHead(200, { "Content-Length": content.length }).end(content),
    ),
  "another state": ({ request, response, content }) =>
    ranged(
      request,
      (first) => (
        response.setHeader("ETag", '"v2"'),
        response
          .writeHead(206, {
            "Content-Range": `bytes ${first}-${content.length - 1}/${content.length}`,
          })
          .end(content.subarray(first))
      ),
    ),
};

/** @param {Request} request @param {(first: number) => unknown} answer */
function ranged(request, answer) {
  const [, first] = /^bytes=(\d+)-/.exec(request.headers.range ?? "") ?? [];
  if (first === undefined) return false;
  answer(Number(first));
  return true;
}
