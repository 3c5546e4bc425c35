export * from "../query-key-products.js";
import { define } from "../base.js";
import { QueryKeyProducts } from "../query-key-products.js";

import "./color-legend.js";

define("query-key-products", QueryKeyProducts);
