// The options of loadModel that change what is requested and read: checked on the page, sent to the worker as plain data.

import { createError, describe } from "./errors.js";
import { isPlainObject } from "./options.js";

/** Fields of a config, as config.json has them. */
export type ConfigFields = Record<string, string | number | boolean | null | readonly number[]>;

/** How a model is loaded. */
export interface LoadRequest {
  dtype: string;
  /** read and write copies in the browser's storage; undefined: those of addresses */
  keep: boolean | undefined;
  /** milliseconds */
  timeout: number;
  /** the fields that replace those of config.json, as JSON with sorted keys; undefined for none */
  config?: string;
  /** headers of each request, names in lower case and sorted */
  headers?: [name: string, value: string][];
  /** requests are sent by the page, with a function of the caller */
  hasFetch?: boolean;
  /** load the secondary wasm module in the background once the model is there */
  prefetch: boolean;
}

/**
 * The option `config` as JSON with sorted keys.
 * @throws InputError
 */
export function configJson(config: ConfigFields | undefined): string | undefined {
  if (config === undefined) return undefined;
  if (!isPlainObject(config))
    throw createError(
      "InputError",
      `\`config\` of loadModel is ${describe(config)}, expected an object of fields such as { n_head: 4 }`,
    );
  const fields = Object.entries(config).filter(([, value]) => value !== undefined);
  for (const [name, value] of fields)
    if (!isFieldValue(value))
      throw createError(
        "InputError",
        `\`config.${name}\` of loadModel is ${describe(value)}, expected a text, a finite number, true, false, null or a list of numbers`,
      );
  if (fields.length === 0) return undefined;
  return JSON.stringify(Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))));
}

function isFieldValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((one) => Number.isFinite(one));
  return value === null || ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
}

/** Headers that a browser sets itself and drops from a request, and those that a load needs for itself. */
const RESERVED =
  /^(accept-encoding|access-control-request-.*|connection|content-length|cookie2?|date|dnt|expect|host|if-.*|keep-alive|origin|proxy-.*|range|referer|sec-.*|te|trailer|transfer-encoding|upgrade|via)$/;

/**
 * The option `headers` as a list.
 * @throws InputError
 */
export function headerList(headers: HeadersInit | undefined): [string, string][] | undefined {
  if (headers === undefined) return undefined;
  let list: [string, string][];
  try {
    list = [...new Headers(headers)];
  } catch (error) {
    throw createError(
      "InputError",
      `\`headers\` of loadModel cannot be read (${(error as Error).message}), expected an object such as { authorization: "Bearer …" }`,
    );
  }
  const reserved = list.find(([name]) => RESERVED.test(name));
  if (reserved)
    throw createError(
      "InputError",
      `\`headers\` of loadModel has \`${reserved[0]}\`, which a page cannot send: remove it, or request the files with the option \`fetch\``,
    );
  return list.length > 0 ? list : undefined;
}
