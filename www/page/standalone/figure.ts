// The script of an HTML file that shows a snapshot without a model.

import "../../elements/define/candle-snapshot.js";
