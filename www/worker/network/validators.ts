// The headers of a response: which state of a file it has (validators, RFC 9110), which part, and how long the file is.

/**
 * The validator of a file's state: its `ETag`, or its `Last-Modified` and its length. Undefined if the server sends neither.
 * Weak and strong tags are compared alike (RFC 9110, 8.8.3.2).
 */
export function identityOf({ headers }: Response): string | undefined {
  const [etag, time] = [headers.get("etag"), headers.get("last-modified")];
  if (etag) return `etag ${etag.replace(/^W\//, "")}`;
  const isPlain = (headers.get("content-encoding") ?? "identity") === "identity";
  return time
    ? `${time}, ${(isPlain && headers.get("content-length")) || "unknown"} bytes`
    : undefined;
}

/**
 * Whether two states with this validator have the same bytes. A time counts in seconds, so it must be a minute old (RFC 9110,
 * 8.8.2.2).
 */
export function isStrong({ headers }: Response): boolean {
  const [etag, time] = [headers.get("etag"), headers.get("last-modified")];
  return etag ? !etag.startsWith("W/") : time !== null && Date.now() - Date.parse(time) > 60_000;
}

/**
 * Whether a partial response belongs to the state of the file with this validator. The length of a partial response is not
 * that of the file.
 */
export function isSameState(identity: string | undefined, part: Response): boolean {
  const found = identityOf(part);
  const time = (state: string | undefined) => state?.replace(/, \w+ bytes$/, "");
  return identity?.startsWith("etag ") ? found === identity : time(found) === time(identity);
}

/** Whether the body is compressed, so that its length is not the file's. */
export function isEncoded({ headers }: Response): boolean {
  return (headers.get("content-encoding") ?? "identity") !== "identity";
}

/** The length of the file, if the response says it. */
export function lengthOf(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  return length !== null && /^\d+$/.test(length) && !isEncoded(response)
    ? Number(length)
    : undefined;
}

/** Whether all headers are visible: a response of another site hides its `content-encoding`. */
export function isSameSite(response: Response): boolean {
  return response.type === "basic";
}

/** `content-range`; `end` is excluded. */
export function rangeOf({
  headers,
}: Response): { start: number; end: number; total: number } | undefined {
  const [, start, last, total] =
    /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  return total === undefined
    ? undefined
    : { start: Number(start), end: Number(last) + 1, total: Number(total) };
}
