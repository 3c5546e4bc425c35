// Recognises objects of the platform. `instanceof` fails for an object of another frame, which has other classes. The getters
// of the platform accept it.

function hasGetter(prototype: object, property: string): (value: unknown) => boolean {
  const getter = Object.getOwnPropertyDescriptor(prototype, property)?.get;
  return (value) => {
    try {
      getter?.call(value);
      return getter !== undefined;
    } catch {
      return false;
    }
  };
}

export const isUrl = hasGetter(URL.prototype, "href") as (value: unknown) => value is URL;
export const isBlob = hasGetter(Blob.prototype, "size") as (value: unknown) => value is Blob;
export const isBuffer = hasGetter(ArrayBuffer.prototype, "byteLength") as (
  value: unknown,
) => value is ArrayBuffer;
export const isAbortSignal = hasGetter(AbortSignal.prototype, "aborted") as (
  value: unknown,
) => value is AbortSignal;

export function isIterable(value: unknown): value is Iterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Symbol.iterator in value &&
    !ArrayBuffer.isView(value)
  );
}

export function isRegExp(value: unknown): value is RegExp {
  return Object.prototype.toString.call(value) === "[object RegExp]";
}
