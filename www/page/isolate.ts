// Threads on a host that sets no headers: `<script src="isolate.js"></script>`, before all other scripts of a page, makes it
// cross-origin isolated. The same file is the page's script and its service worker, which adds the two headers that the host
// omits. The first visit loads the page twice. Resources of other origins need CORS or CORP.
//
// How to switch it off:
// - For a site: `<script src="isolate.js" data-off></script>` in its pages removes the service worker from each visitor's
//   browser. Removing only the script is not enough, because a registered service worker stays.
// - For a visitor: `?candlescope-isolate=off` in the page's address removes it and is remembered in this browser;
//   `?candlescope-isolate=on` undoes it.
// - From a script: `await candlescopeIsolate.off()` removes it. The page is isolated until it is loaded again.
// Other service workers of the site stay.

import { trustedAddress } from "../api/policy.js";

/** Set before the reload that should isolate the page, so that the page reloads only once. An isolated page has another session storage. */
const RELOADED = "candlescope-isolated";

const trusted = trustedAddress("candlescope-isolate");

if (typeof document === "undefined") serve();
else start(document.currentScript as HTMLScriptElement);

/** What this file uses of a service worker: TypeScript has no types for both a page and a service worker. */
interface ServiceWorkerScope {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: "install", listener: () => void): void;
  addEventListener(type: "activate", listener: (event: ActivateEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}
type ActivateEvent = { waitUntil(end: Promise<void>): void };
type FetchEvent = { request: Request; respondWith(response: Promise<Response>): void };

/** In the service worker. */
function serve() {
  const worker = self as unknown as ServiceWorkerScope;
  worker.addEventListener("install", () => worker.skipWaiting());
  worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
  worker.addEventListener("fetch", (event) => {
    // A request for a cached response must not go to the network.
    if (event.request.cache === "only-if-cached" && event.request.mode !== "same-origin") return;
    event.respondWith(isolated(event.request));
  });
}

async function isolated(request: Request) {
  const response = await fetch(request);
  if (response.status === 0) return response; // an opaque response of another site, whose headers cannot be changed
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "cross-origin");
  const empty = [204, 205, 304].includes(response.status);
  return new Response(empty ? null : response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}

/** In the page. */
async function start({ src, dataset }: HTMLScriptElement) {
  if (!globalThis.isSecureContext || !("serviceWorker" in navigator)) return;
  Object.assign(globalThis, { candlescopeIsolate: { off: () => unregister(src) } });
  try {
    const isOff = "off" in dataset || visitorChoice() === "off";
    if (!isOff) return await register(src);
    sessionStorage.removeItem(RELOADED);
    if ((await unregister(src)) && navigator.serviceWorker.controller?.scriptURL === src)
      location.reload();
  } catch (error) {
    console.info(`the page stays as its server sends it: ${error}`);
  }
}

/**
 * What the page's address says, or said on an earlier visit.
 * @returns "off", "on" or nothing
 */
function visitorChoice(): string | null {
  const key = "candlescope-isolate";
  const asked = new URLSearchParams(location.search).get(key);
  if (asked === "off") localStorage.setItem(key, asked);
  if (asked === "on") localStorage.removeItem(key);
  return asked ?? localStorage.getItem(key);
}

async function register(address: string) {
  if (globalThis.crossOriginIsolated) return;
  const other = scriptOf(await navigator.serviceWorker.getRegistration(address));
  if (other !== undefined && other !== address)
    throw new Error(`the site has a service worker of its own, ${other}`);
  await navigator.serviceWorker.register(trusted(address));
  await navigator.serviceWorker.ready;
  if (sessionStorage.getItem(RELOADED)) return;
  sessionStorage.setItem(RELOADED, "1");
  location.reload();
}

/**
 * Removes this service worker.
 * @returns whether there was one
 */
async function unregister(address: string): Promise<boolean> {
  const registration = await navigator.serviceWorker.getRegistration(address);
  if (!registration || scriptOf(registration) !== address) return false;
  return registration.unregister();
}

function scriptOf(registration: ServiceWorkerRegistration | undefined) {
  return (registration?.active ?? registration?.waiting ?? registration?.installing)?.scriptURL;
}
