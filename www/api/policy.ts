// What a page's Content-Security-Policy blocked, and the addresses of scripts as a page with Trusted Types wants them.

/** The directives that blocked an address, by what the browser reports: the address, its origin, or only its scheme. */
const blocked: Map<string, string> = new Map();
globalThis.addEventListener?.("securitypolicyviolation", (event) =>
  blocked.set(event.blockedURI, event.effectiveDirective),
);

/** The directive of the Content-Security-Policy that blocked an address, if one did. */
export async function directiveThatBlocked(address: string): Promise<string | undefined> {
  await new Promise((resolve) => setTimeout(resolve)); // the event of a violated policy comes after the error
  const { origin, protocol } = new URL(address);
  return blocked.get(address) ?? blocked.get(origin) ?? blocked.get(protocol.replace(/:$/, ""));
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (address: string) => string },
  ): { createScriptURL: (address: string) => string };
}

/**
 * A function that gives the address of a script the type that a page with `require-trusted-types-for 'script'` demands. Only
 * addresses of Candlescope's own scripts may be passed to it.
 * @param name of the policy, which the page's `trusted-types` must allow if it has one
 */
export function trustedAddress(name: string): (address: string | URL) => string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;
  return (address) => {
    policy ??= trustedTypes?.createPolicy(name, { createScriptURL: (own) => own });
    return policy?.createScriptURL(String(address)) ?? String(address);
  };
}
