// The cells of the notebook, in order.

import type { Cell } from "./cell.js";
import { looking } from "./cells/looking.js";
import { more } from "./cells/more.js";
import { running } from "./cells/running.js";

export const CELLS: readonly Cell[] = [...running, ...looking, ...more];
