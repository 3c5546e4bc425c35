// Requests of what an exported file has in it.

import { createError, messageOf } from "../../api/errors.js";

/**
 * @returns null if the server does not have the file
 * @throws NetworkError
 */
export async function request(address: string, signal?: AbortSignal): Promise<Response | null> {
  try {
    const response = await fetch(address, { signal: signal ?? null });
    return response.ok ? response : null;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw createError(
      "NetworkError",
      `${address} cannot be put into the file (${messageOf(error)}): check the connection, then export again`,
    );
  }
}
