// The element of a page that shows only snapshots. What loads a model is fetched when a reader presses "run live".

import { CandleSnapshot } from "./candle-snapshot.js";

import "./define/candle-snapshot.js";

CandleSnapshot.loadLive = () => import("./elements.js");
