/** Query parameters that are secrets by their names: a document holds them in the open, and so does every log of URLs. */
import { quote } from './findings.ts';
import { SECRET_HEADER } from './http-config.ts';
import { KEY_WORD } from './key-spelling.ts';

/** The label that holds the first value of a query parameter has this in front of the parameter's name. */
export const PARAM_LABEL = '__param_';

/** Words that no header has, or that the rule of headers leaves to another. */
const SECRET_WORD = /^(?:sig|pass|pwd|authorization)$/i;
/** The name of a block in the exporter's own file, as with snmp_exporter: the secret stands there. */
const BLOCK_NAME = /^auth$/i;

export function isSecretParam(name: string): boolean {
  return SECRET_WORD.test(name) || (SECRET_HEADER.test(name) && !BLOCK_NAME.test(name));
}

/** Whether a label stands for such a parameter. */
export function isSecretParamLabel(label: string): boolean {
  return label.startsWith(PARAM_LABEL) && isSecretParam(label.slice(PARAM_LABEL.length));
}

/** Whether the query of an address, which may be none yet, holds such a parameter. */
export function hasSecretQuery(address: string): boolean {
  return [...address.matchAll(/[?&]([^=&#?]+)=/g)].some(([, name = '']) => isSecretParam(name));
}

const REMEDY = 'send it as a header by a reference, under http_headers and secrets, or as authorization';
/** The same of an address. */
export const SECRET_QUERY = `its query holds a secret by its name; ${REMEDY}`;

/** Why the parameter is refused, of which the value is not in the message. `consequence`: what becomes of the job. */
export function describeSecretParam(name: string, job: string, consequence?: string): string {
  const what = KEY_WORD.test(name) ? `the parameter ${name}` : 'a parameter';
  const rest = consequence === undefined ? '' : `; ${consequence}`;
  return `cannot use ${what} of the job ${quote(job)}: it is a secret by its name; ${REMEDY}${rest}`;
}
