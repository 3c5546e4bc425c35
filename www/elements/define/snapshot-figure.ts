export * from "../snapshot-figure.js";
import { define } from "../base.js";
import { SnapshotFigure } from "../snapshot-figure.js";

import "./scope-figure.js";

define("snapshot-figure", SnapshotFigure);
