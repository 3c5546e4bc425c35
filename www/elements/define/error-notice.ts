export * from "../error-notice.js";
import { define } from "../base.js";
import { ErrorNotice } from "../error-notice.js";

define("error-notice", ErrorNotice);
