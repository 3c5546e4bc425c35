export * from "../candle-snapshot.js";
import { define } from "../base.js";
import { CandleSnapshot } from "../candle-snapshot.js";

import "./snapshot-figure.js";

define("candle-snapshot", CandleSnapshot);
