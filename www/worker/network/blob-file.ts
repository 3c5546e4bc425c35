// A file with random access outside of wasm memory: one that the user chose, or one that was downloaded into a Blob. A browser
// may keep the bytes of a Blob on disk.

/** Downloaded chunks are handed to the browser, in a Blob, when they have this many bytes. */
const MAX_CHUNKS_BYTES = 32 << 20;
/** A read of fewer bytes reads this many, because each read of a Blob takes a message to another process and back. */
const READ_AHEAD = 4 << 20;

/** A Blob in the making. */
export class BlobParts {
  #blobs: Blob[] = [];
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk as Uint8Array<ArrayBuffer>);
    this.#bytes += chunk.length;
    if (this.#bytes >= MAX_CHUNKS_BYTES) this.#flush();
  }

  blob(): Blob {
    this.#flush();
    return new Blob(this.#blobs);
  }

  #flush() {
    this.#blobs.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#bytes = 0;
  }
}

/** Rust reads these names (src/load/random_access.rs). */
export class BlobFile {
  #blob;
  /** The bytes that were read last, and where they begin. */
  #window = new Uint8Array(0);
  #start = 0;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  get length(): number {
    return this.#blob.size;
  }

  /**
   * The bytes from `start` to before `end`.
   * @throws DOMException if the file was changed, moved or deleted after it was chosen
   */
  async read(start: number, end: number): Promise<Uint8Array> {
    if (start < this.#start || end > this.#start + this.#window.length) {
      const stop = Math.min(this.#blob.size, Math.max(end, start + READ_AHEAD));
      this.#window = new Uint8Array(await this.#blob.slice(start, stop).arrayBuffer());
      this.#start = start;
    }
    return this.#window.subarray(start - this.#start, end - this.#start);
  }
}
