// Requests of what an exported file has in it.

import { createError, messageOf } from "../../api/errors.js";

/**
 * @returns null if the server does not have the file
 * @throws NetworkError
 */
export async function request(address: string, signal?: AbortSignal): Promise<Response | null> {
  let response: Response;
  try {
    response = await fetch(address, { signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(address, messageOf(error));
  }
  if (response.ok) return response;
  const { status } = response;
  if (status < 500 && status !== 408 && status !== 429) return null;
  throw unreachable(address, `status ${status}`);
}

/** The error of a file that did not arrive, or not as a whole. */
export function unreachable(address: string, reason: string): Error {
  return createError(
    "NetworkError",
    `${address} cannot be put into the file (${reason}): check the connection, then export again`,
  );
}
