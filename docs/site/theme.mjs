// The pages of the site around their contents: header, navigation, the list of headings. TypeDoc renders the rest.

import {
  DefaultTheme,
  DefaultThemeRenderContext,
  JSX,
  KindRouter,
  PageEvent,
  ReflectionKind,
} from "typedoc";
import { relative } from "node:path";

import { GROUPS } from "./pages.mjs";

const h = JSX.createElement;
const PAGES = GROUPS.flatMap(({ pages }) => pages);

/** The kinds of the API reference, in the order of its navigation. */
const KINDS = /** @type {const} */ ([
  ["Functions", ReflectionKind.Function],
  ["Classes", ReflectionKind.Class],
  ["Options and results", ReflectionKind.Interface],
  ["Types", ReflectionKind.TypeAlias | ReflectionKind.Variable],
]);

/** @param {import("typedoc").Application} app */
export function addTheme(app) {
  app.renderer.defineRouter("candlescope", SiteRouter);
  app.renderer.defineTheme("candlescope", SiteTheme);
  // TypeDoc's headings skip levels.
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents?.replaceAll(
      /<h5 (class="tsd-index-heading[^>]*>.*?<\/)h5>/g,
      "<h2 $1h2>",
    );
  });
}

/** Pages lie in dist/docs/, those of the API in dist/docs/api/. */
class SiteRouter extends KindRouter {
  /** @override @param {import("typedoc").Reflection} target */
  getIdealBaseName(target) {
    if (!target.isDocument()) return `api/${target.name}`;
    const source = relative(process.cwd(), this.application.files.getReflectionPath(target) ?? "");
    const page = PAGES.find((one) => one.source === source);
    return (
      page?.name ??
      source
        .replace(/^docs\//, "")
        .replace(/\.md$/, "")
        .replaceAll("/", "-")
    );
  }
}

class SiteTheme extends DefaultTheme {
  /** @override @param {import("typedoc").PageEvent} page */
  getRenderContext(page) {
    return new SiteContext(this.router, this, page, this.application.options);
  }
}

class SiteContext extends DefaultThemeRenderContext {
  /** @type {DefaultThemeRenderContext["defaultLayout"]} */
  defaultLayout = (template, page) => {
    const content = template(page); // first, because it collects the headings
    const isApi = !page.model.isDocument() && page.url !== "index.html";
    const title = page.url === "index.html" ? "" : titleOf(page);
    return h(
      "html",
      { lang: "en", "data-base": this.relativeURL("./") },
      h(
        "head",
        null,
        h("meta", { charset: "utf-8" }),
        h("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
        h("meta", { name: "color-scheme", content: "light dark" }),
        h("meta", {
          name: "description",
          content:
            "The documentation of Candlescope, a lab for looking inside GPT-2 models in a browser tab.",
        }),
        h("title", null, title ? `${title} · Candlescope` : "Candlescope: documentation"),
        h("link", { rel: "icon", href: this.relativeURL("../icon.svg") }),
        h("script", { src: this.relativeURL("assets/early.js") }),
        ...["style", "highlight", "text", "site"].map((name) =>
          h("link", { rel: "stylesheet", href: this.relativeURL(`assets/${name}.css`) }),
        ),
        h("script", { defer: true, src: this.relativeURL("assets/main.js") }),
        h("script", { type: "module", src: this.relativeURL("assets/site.js") }),
        h("script", {
          async: true,
          src: this.relativeURL("assets/icons.js"),
          id: "tsd-icons-script",
        }),
        h("script", {
          async: true,
          src: this.relativeURL("assets/search.js"),
          id: "tsd-search-script",
        }),
      ),
      h(
        "body",
        { class: isApi ? "api" : "text" },
        h("a", { class: "skip", href: "#content" }, "Skip to the content"),
        this.toolbar(page),
        h(
          "div",
          { class: "columns" },
          this.navigation(page),
          h(
            "main",
            { id: "content", tabIndex: "-1" },
            isApi ? this.header(page) : null,
            this.contents(page, "narrow"),
            content,
            this.neighbours(page),
          ),
          this.contents(page, "wide"),
        ),
      ),
    );
  };

  /** Headings of TypeDoc's list of base classes skip levels. @type {DefaultThemeRenderContext["hierarchy"]} */
  hierarchy = () => undefined;

  /** @type {DefaultThemeRenderContext["toolbar"]} */
  toolbar = () =>
    h(
      "header",
      { class: "site" },
      h(
        "a",
        { class: "brand", href: this.relativeURL("index.html") },
        h(JSX.Raw, {
          html: '<svg viewBox="0 0 16 20" aria-hidden="true"><path class="flame" d="M8 0c.9 2.700 3.400 4 3.400 7A3.300 3.600 0 0 1 8 10.600 3.300 3.600 0 0 1 4.600 7C4.600 4 7.100 2.700 8 0z" /><path class="wax" d="M5 12h6v8H5z" /></svg>',
        }),
        h("span", null, "candlescope"),
        h("span", { class: "sub" }, "docs"),
      ),
      h(
        "button",
        { id: "menu", type: "button", popovertarget: "pages", "aria-label": "pages" },
        "☰",
      ),
      h(
        "div",
        { class: "tools" },
        h(
          "button",
          { id: "tsd-search-trigger", type: "button", class: "search", "aria-label": "search" },
          h(JSX.Raw, {
            html: '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="6.500" cy="6.500" r="4.500" /><path d="M10 10l4 4" /></svg>',
          }),
          h("span", null, "search"),
          h("kbd", null, "/"),
        ),
        h(
          "a",
          { class: "lab", href: this.relativeURL("../index.html") },
          h("span", null, "the "),
          "lab",
        ),
        h(
          "button",
          { id: "theme", type: "button", "aria-label": "theme", title: "Light or dark" },
          "◐",
        ),
      ),
      h(
        "dialog",
        { id: "tsd-search", "aria-label": "search" },
        h("input", {
          role: "combobox",
          id: "tsd-search-input",
          "aria-controls": "tsd-search-results",
          "aria-autocomplete": "list",
          "aria-expanded": "true",
          "aria-label": "search",
          spellcheck: false,
          autocapitalize: "off",
          autocomplete: "off",
          placeholder: "search all pages",
          maxLength: 100,
        }),
        h("ul", { role: "listbox", id: "tsd-search-results", "aria-label": "results" }),
        h(
          "div",
          { id: "tsd-search-status", "aria-live": "polite", "aria-atomic": "true" },
          h("div", null, "The index is loading"),
        ),
      ),
    );

  /** All pages, and on pages of the API its names too. @type {DefaultThemeRenderContext["navigation"]} */
  navigation = (page) => {
    /** @param {string} url @param {string} title */
    const link = (url, title) =>
      h(
        "li",
        null,
        h(
          "a",
          { href: this.relativeURL(url), ...(url === page.url && { "aria-current": "page" }) },
          title,
        ),
      );
    const isApi = !page.model.isDocument() && page.url !== "index.html";
    const children = page.project.children ?? [];
    return h(
      "nav",
      { id: "pages", class: "pages", "aria-label": "pages", popover: "auto" },
      GROUPS.map(({ title, pages }) =>
        h(
          JSX.Fragment,
          null,
          h("h2", null, title),
          h(
            "ul",
            null,
            title === "Reference" && link("modules.html", "JavaScript API"),
            pages.map((one) => link(`${one.name}.html`, one.title)),
          ),
        ),
      ),
      isApi &&
        KINDS.map(([title, kind]) =>
          h(
            JSX.Fragment,
            null,
            h("h2", null, title),
            h(
              "ul",
              { class: "names" },
              children
                .filter((one) => one.kindOf(kind))
                .map((one) => link(this.router.getFullUrl(one), one.name)),
            ),
          ),
        ),
    );
  };

  /**
   * The headings of a page: beside it, or above it on narrow screens.
   * @param {import("typedoc").PageEvent} page @param {"wide" | "narrow"} place
   */
  contents(page, place) {
    const headings = page.pageSections
      .flatMap((section) => section.headings)
      .filter(({ level = 2 }) => level === 2 || level === 3);
    if (headings.length < 3) return place === "wide" ? h("div", { class: "contents wide" }) : null;
    const list = h(
      "ul",
      null,
      headings.map(({ link, text, level = 2 }) =>
        h("li", { class: `level-${level}` }, h("a", { href: link }, text)),
      ),
    );
    return place === "wide"
      ? h(
          "nav",
          { class: "contents wide", "aria-label": "on this page" },
          h("h2", null, "On this page"),
          list,
        )
      : h("details", { class: "contents narrow" }, h("summary", null, "On this page"), list);
  }

  /** The pages before and after this one. @param {import("typedoc").PageEvent} page */
  neighbours(page) {
    const at = PAGES.findIndex(({ name }) => `${name}.html` === page.url);
    if (at < 0) return null;
    /** @param {import("./pages.mjs").DocPage | undefined} other @param {"prev" | "next"} rel */
    const link = (other, rel) =>
      other &&
      h(
        "a",
        { rel, href: this.relativeURL(`${other.name}.html`) },
        h("span", null, rel === "prev" ? "before" : "next"),
        other.title,
      );
    return h(
      "nav",
      { class: "neighbours", "aria-label": "neighbouring pages" },
      link(PAGES[at - 1], "prev"),
      link(PAGES[at + 1], "next"),
    );
  }
}

/** @param {import("typedoc").PageEvent} page */
const titleOf = ({ model, url }) => (url === "modules.html" ? "JavaScript API" : model.name);
