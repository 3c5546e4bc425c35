// Reads and writes safetensors files, for the checkpoints that tests derive from a fixture.

/** A tensor: what the header says of it, and its bytes. @typedef {{ name: string, entry: object, part: Buffer }} Stored */

/** A safetensors file's header, and a view of what follows it. @param {Buffer} bytes @returns {{ header: Record<string, any>, data: Buffer }} */
export function parsed(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  return { header, data: bytes.subarray(8 + length) };
}

/** The number of an IEEE half. @param {number} bits */
export function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return (
    sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024))
  );
}

/** A file of these tensors, in this order. @param {Stored[]} tensors */
export function joined(tensors) {
  let end = 0;
  const entries = tensors.map(({ name, entry, part }) => {
    const start = end;
    end += part.length;
    return [name, { ...entry, data_offsets: [start, end] }];
  });
  return withHeader(
    Object.fromEntries(entries),
    tensors.map(({ part }) => part),
  );
}

/** @param {object} header @param {Buffer[]} parts */
export function withHeader(header, parts) {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts]);
}

/**
 * The tensors of a GPT-2: names and shapes.
 * @param {{ n_layer: number, n_embd: number, n_positions: number, vocab_size: number }} config
 * @returns {[name: string, shape: number[]][]}
 */
export function gpt2Tensors({ n_layer, n_embd: d, n_positions, vocab_size }) {
  /** @type {[string, number[]][]} */
  const block = [
    ["ln_1.weight", [d]],
    ["ln_1.bias", [d]],
    ["attn.c_attn.weight", [d, 3 * d]],
    ["attn.c_attn.bias", [3 * d]],
    ["attn.c_proj.weight", [d, d]],
    ["attn.c_proj.bias", [d]],
    ["ln_2.weight", [d]],
    ["ln_2.bias", [d]],
    ["mlp.c_fc.weight", [d, 4 * d]],
    ["mlp.c_fc.bias", [4 * d]],
    ["mlp.c_proj.weight", [4 * d, d]],
    ["mlp.c_proj.bias", [d]],
  ];
  return [
    ["wte.weight", [vocab_size, d]],
    ["wpe.weight", [n_positions, d]],
    ["ln_f.weight", [d]],
    ["ln_f.bias", [d]],
    ...Array.from({ length: n_layer }, (_, layer) =>
      block.map(
        ([name, shape]) => /** @type {[string, number[]]} */ ([`h.${layer}.${name}`, shape]),
      ),
    ).flat(),
  ];
}
