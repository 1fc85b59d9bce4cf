/**
 * Selectors of Kubernetes, as Prometheus checks them (apimachinery, labels.Parse and fields.ParseSelector): the API
 * server would refuse a wrong one at each tick, while the reader of documents keeps the last good version in force.
 */

const NAME = '[A-Za-z0-9](?:[\\w.-]{0,61}[A-Za-z0-9])?';
const KEY = `(?:[a-z0-9][a-z0-9.-]{0,252}/)?${NAME}`;
const VALUE = `(?:${NAME})?`;
const REQUIREMENT = [
  `! ?${KEY}`,
  `${KEY} ?(?:==?|!=) ?${VALUE}`,
  `${KEY} ?[<>] ?\\d+`,
  `${KEY} (?:in|notin) ?\\( ?${VALUE}(?: ?, ?${VALUE})* ?\\)`,
  KEY,
].join('|');
const LABELS = new RegExp(`^(?:(?:${REQUIREMENT}) ?(?:, ?(?:${REQUIREMENT}) ?)*)?$`);

/** `app=nim,tier in (gpu, cpu),!canary`. Empty: every pod. */
export function isLabelSelector(text: string): boolean {
  return LABELS.test(text.replace(/[ \t\r\n]+/g, ' ').trim());
}

/** `spec.nodeName=node-1,status.phase!=Failed`; a backslash before a comma makes it a part of the value. */
export function isFieldSelector(text: string): boolean {
  return text.split(/(?<!\\),/).every((term) => term === '' || term.includes('='));
}
