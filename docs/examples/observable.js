// A notebook of Observable, in the form in which Observable exports notebooks: each define() is a cell. In a notebook of your own, the
// cells are
//
//     site = "https://example.org/candlescope/"
//     viewof text = html`<input value="the moon, the moon, the moon" size="40">`
//     elements = import(`${site}elements.js`)
//     figure = (elements, html`<candle-scope model="${site}models/shakespeare" prompt="${text}" loading="eager"></candle-scope>`)
//
// `site` is the address of a published dist/ folder, whose host sends Access-Control-Allow-Origin. The figure follows the box.

export default function define(runtime, observer) {
  const main = runtime.module();
  main.variable(observer("site")).define("site", () => "https://example.org/candlescope/");
  main
    .variable(observer("viewof text"))
    .define(
      "viewof text",
      ["html"],
      (html) => html`<input value="the moon, the moon, the moon" size="40">`,
    );
  main
    .variable(observer("text"))
    .define("text", ["Generators", "viewof text"], (Generators, box) => Generators.input(box));
  main
    .variable(observer("elements"))
    .define("elements", ["site"], (site) => import(`${site}elements.js`));
  main
    .variable(observer("figure"))
    .define(
      "figure",
      ["elements", "html", "site", "text"],
      (_elements, html, site, text) =>
        html`<candle-scope model="${site}models/shakespeare" prompt="${text}" loading="eager"></candle-scope>`,
    );
  return main;
}
