// Three browser engines behind one small interface, by WebDriver: Chromium, Firefox ESR and WebKitGTK. The other end-to-end tests
// use Playwright, which drives neither the Firefox nor the WebKitGTK of a Linux distribution.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

import { Builder, Capabilities, Key, Origin } from "selenium-webdriver";

/** @typedef {import("selenium-webdriver").WebDriver} WebDriver */
/** @typedef {import("selenium-webdriver").WebElement} WebElement */
/** @typedef {{ name: string, programs: Record<string, string | undefined>, capabilities: (programs: Record<string, string>) => object, driver: string, ports: (port: number) => string[], needsDisplay?: boolean }} Engine */

/** How long a condition may take on a machine that is busy with other work. */
const PATIENCE_MS = 120_000;

/** The first of these programs that exists: a path, or a name on the search path. @param {(string | undefined)[]} names */
function program(...names) {
  const folders = [
    new URL("../../.tools/bin", import.meta.url).pathname,
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  return names
    .flatMap((name) =>
      !name ? [] : name.includes("/") ? [name] : folders.map((folder) => join(folder, name)),
    )
    .find((path) => existsSync(path));
}

/** @type {Engine[]} */
export const ENGINES = [
  {
    name: "Chromium",
    programs: {
      browser: program(process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"),
      driver: program("chromedriver"),
    },
    driver: "driver",
    ports: (port) => [`--port=${port}`],
    capabilities: ({ browser }) => ({
      browserName: "chrome",
      "goog:chromeOptions": { binary: browser, args: ["--headless=new", "--no-sandbox"] },
    }),
  },
  {
    name: "Firefox",
    programs: { browser: program("firefox-esr", "firefox"), driver: program("geckodriver") },
    driver: "driver",
    ports: (port) => ["--port", String(port), "--websocket-port", "0"],
    capabilities: ({ browser }) => ({
      browserName: "firefox",
      "moz:firefoxOptions": { binary: browser, args: ["-headless"] },
    }),
  },
  {
    name: "WebKitGTK",
    programs: {
      browser: program(
        ...["4.1", "6.0", "4.0"].flatMap((version) =>
          ["x86_64", "aarch64"].map(
            (machine) =>
              `/usr/lib/${machine}-linux-gnu/webkit${version === "6.0" ? "gtk" : "2gtk"}-${version}/MiniBrowser`,
          ),
        ),
      ),
      driver: program("WebKitWebDriver"),
      display: program("Xvfb"),
    },
    driver: "driver",
    needsDisplay: true,
    ports: (port) => [`--port=${port}`],
    capabilities: ({ browser }) => ({
      browserName: "MiniBrowser",
      "webkitgtk:browserOptions": { binary: browser, args: ["--automation"] },
    }),
  },
];

/** The programs that an engine lacks on this machine. @param {Engine} engine */
export function missing({ programs }) {
  return Object.entries(programs)
    .filter(([, path]) => path === undefined)
    .map(([name]) => name);
}

/** A port that is free now. @returns {Promise<number>} */
function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(address && typeof address === "object" ? address.port : 0));
    });
  });
}

/**
 * Repeats a question until it has an answer.
 * @template T @param {() => Promise<T | undefined | null | false>} ask @param {string} what for the error
 * @returns {Promise<T>}
 */
async function eventually(ask, what) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((again) => setTimeout(again, 50));
  }
}

/** A screen in memory. Xvfb writes the number of the display that it chose to file descriptor 3. @param {string} path */
async function display(path) {
  const server = spawn(
    path,
    ["-displayfd", "3", "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
    {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    },
  );
  const number = await new Promise((done, fail) => {
    server.once("error", fail);
    server.once("exit", (code) => fail(new Error(`${path} ended with ${code}`)));
    server.stdio[3]?.once("data", (data) => done(String(data).trim()));
  });
  return { DISPLAY: `:${number}`, stop: () => server.kill() };
}

/** Starts an engine. @param {Engine} engine @returns {Promise<Browser>} */
export async function start(engine) {
  const programs = /** @type {Record<string, string>} */ (engine.programs);
  const screen = engine.needsDisplay ? await display(programs.display) : null;
  const port = await freePort();
  const server = spawn(programs.driver, engine.ports(port), {
    stdio: "ignore",
    env: { ...process.env, ...(screen && { DISPLAY: screen.DISPLAY }) },
  });
  const stop = () => {
    server.kill();
    screen?.stop();
  };
  try {
    const url = `http://127.0.0.1:${port}`;
    await eventually(
      () =>
        fetch(`${url}/status`).then(
          (answer) => answer.ok,
          () => false,
        ),
      `${programs.driver} on port ${port}`,
    );
    const driver = await new Builder()
      .usingServer(url)
      .withCapabilities(
        new Capabilities({ ...engine.capabilities(programs), acceptInsecureCerts: true }),
      )
      .build();
    await driver.manage().setTimeouts({ script: PATIENCE_MS, pageLoad: PATIENCE_MS });
    await driver.manage().window().setRect({ x: 0, y: 0, width: 1440, height: 1000 });
    return new Browser(driver, stop);
  } catch (error) {
    stop();
    throw error;
  }
}

/** What the tests do with a browser. Selectors are separated by ` >>> ` where one enters a shadow root. */
export class Browser {
  /** @param {WebDriver} driver @param {() => void} stop */
  constructor(driver, stop) {
    this.driver = driver;
    this.stopDriver = stop;
  }

  async stop() {
    await this.driver.quit().catch(() => {});
    this.stopDriver();
  }

  /** Opens an address in a page of its own. An address that differs only after `#` would not load again. @param {string} url */
  async open(url) {
    await this.driver.get("about:blank");
    await this.driver.get(url);
  }

  /**
   * Runs a function in the page, which may be asynchronous.
   * @template {unknown[]} A @template T @param {(...args: A) => T} code @param {A} args @returns {Promise<Awaited<T>>}
   */
  async evaluate(code, ...args) {
    const answer = await this.driver.executeAsyncScript(
      `const [args, done] = arguments;
       (async () => (${code})(...args))().then(
         (value) => done({ value: value === undefined ? null : value }),
         (error) => done({ error: String(error) }));`,
      args,
    );
    if (answer.error) throw new Error(answer.error);
    return answer.value;
  }

  /** Waits until a function in the page returns something that is true, and returns it. @template {unknown[]} A @template T @param {(...args: A) => T} code @param {A} args */
  until(code, ...args) {
    return eventually(() => this.evaluate(code, ...args).catch(() => false), String(code));
  }

  /** The first element that a selector finds, once there is one. @param {string} selector @returns {Promise<WebElement>} */
  element(selector) {
    return eventually(
      () =>
        this.driver.executeScript((/** @type {string} */ path) => {
          const [first, ...others] = path.split(" >>> ");
          let found = document.querySelector(first);
          for (const one of others) found = found?.shadowRoot?.querySelector(one) ?? null;
          return found;
        }, selector),
      selector,
    );
  }

  /** Clicks the middle of an element. WebKitGTK refuses to move the pointer to elements in shadow roots. @param {string} selector */
  async click(selector) {
    const element = await this.element(selector);
    await this.clickAt(
      await this.driver.executeScript((/** @type {Element} */ element) => {
        element.scrollIntoView({ block: "center", behavior: "instant" });
        const { left, top, width, height } = element.getBoundingClientRect();
        if (width * height === 0) throw new Error(`${element.outerHTML} is not shown`);
        return { x: left + width / 2, y: top + height / 2 };
      }, element),
    );
  }

  /** Moves the pointer to a point of the window. @param {{ x: number, y: number }} point */
  hover({ x, y }) {
    return this.driver
      .actions()
      .move({ origin: Origin.VIEWPORT, x: Math.round(x), y: Math.round(y) })
      .perform();
  }

  /** Clicks a point of the window. @param {{ x: number, y: number }} point */
  clickAt({ x, y }) {
    return this.driver
      .actions()
      .move({ origin: Origin.VIEWPORT, x: Math.round(x), y: Math.round(y) })
      .click()
      .perform();
  }

  /** @param {keyof typeof Key} name */
  press(name) {
    return this.driver
      .actions()
      .sendKeys(/** @type {string} */ (Key[name]))
      .perform();
  }
}
