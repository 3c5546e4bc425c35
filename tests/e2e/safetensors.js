// Reads and writes safetensors files, for the checkpoints that tests derive from a fixture.

/** A tensor: what the header says of it, and its bytes. @typedef {{ name: string, entry: object, part: Buffer }} Stored */

/** A safetensors file's header, and a view of what follows it. @param {Buffer} bytes @returns {{ header: Record<string, any>, data: Buffer }} */
export function parsed(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  return { header, data: bytes.subarray(8 + length) };
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
