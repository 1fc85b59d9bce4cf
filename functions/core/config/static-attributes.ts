/**
 * `dynatrace: attributes:` of a job: dimensions that each of its points has. They stand on the data point, since of a
 * resource's attributes an environment may keep a short list only (Dynatrace, "About OTLP metrics ingest").
 */
import { readText } from './config-reading.ts';
import type { Reading } from './config-reading.ts';
import { MAX_DIMENSION_KEY_LENGTH, MAX_DIMENSION_VALUE_LENGTH, dimensionKey } from '../dynatrace.ts';
import { quote } from './findings.ts';
import type { Attributes } from '../model.ts';
import type { YamlMapping } from './yaml.ts';

/** What says which series a point is of, and what the exporter sets itself. */
const IDENTITY =
  /^(?:service\.name|service\.instance\.id|server\.(?:address|port)|url\.scheme|otel\.scope\..*)$/;

/** In the order of their keys. */
export function readAttributes({ entries }: YamlMapping, { findings }: Reading): Attributes {
  const read = entries.flatMap(({ key, at, value }): readonly (readonly [string, string])[] => {
    const cause = attributeProblem(key);
    if (cause !== undefined) {
      findings.problem(at, `cannot use the attribute ${quote(key)}: ${cause}`);
      return [];
    }
    const text = value.kind === 'text' ? readText(value) : undefined;
    const wrong =
      text === undefined
        ? `its value is a ${value.kind}; write one text`
        : text === ''
          ? 'its value is empty, and Dynatrace refuses that; write a value, or remove it'
          : text.length > MAX_DIMENSION_VALUE_LENGTH
            ? `its value is longer than ${MAX_DIMENSION_VALUE_LENGTH} characters; shorten it`
            : undefined;
    if (wrong === undefined && text !== undefined) return [[key, text]];
    findings.problem(value.at, `cannot use the attribute ${quote(key)}: ${wrong}`);
    return [];
  });
  return Object.fromEntries(read.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Why no attribute can have this key: cause and remedy. */
export function attributeProblem(key: string): string | undefined {
  if (key.length > MAX_DIMENSION_KEY_LENGTH)
    return `it is longer than ${MAX_DIMENSION_KEY_LENGTH} characters; shorten it`;
  const taken = dimensionKey(key);
  if (taken !== key || key === '') {
    const remedy = taken === '' ? 'begin with a letter from a to z' : `write ${taken}`;
    return `Dynatrace takes lower case letters, digits, dots, hyphens and underscores; ${remedy}`;
  }
  if (IDENTITY.test(key)) return 'it says which series a point is of; job_name and the address set it';
  return undefined;
}
