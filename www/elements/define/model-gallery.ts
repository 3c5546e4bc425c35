export * from "../model-gallery.js";
import { define } from "../base.js";
import { ModelGallery } from "../model-gallery.js";

import "./model-report.js";

define("model-gallery", ModelGallery);
