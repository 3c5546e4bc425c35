export * from "../load-consent.js";
import { define } from "../base.js";
import { LoadConsent } from "../load-consent.js";

define("load-consent", LoadConsent);
