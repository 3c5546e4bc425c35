// The elements that the first pattern does not need: elements.ts imports this module.

import "../elements/define/add-tokenizer.js";
import "../elements/define/intervention-effect.js";
import "../elements/define/intervention-list.js";
import "../elements/define/lesson-list.js";
import "../elements/define/lesson-panel.js";
import "../elements/define/load-consent.js";
import "../elements/define/load-question.js";
import "../elements/define/model-chooser.js";
import "../elements/define/model-report.js";
import "../elements/define/model-tree.js";
