/** DynamoDB's update expressions: a placeholder for each name, since several of ours are reserved words in them. */
import type { Attributes } from './state-attributes.ts';

/** `#tick` stands for `tick`. */
export function names(...attributes: readonly string[]): Record<string, string> {
  return Object.fromEntries(attributes.map((attribute) => [`#${attribute}`, attribute]));
}

/** `:tick` stands for the value of `tick`. */
export function values(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`:${name}`, value]));
}

/** What stands behind SET. */
export function assignments(attributes: Attributes): string {
  return Object.keys(attributes)
    .map((name) => `#${name} = :${name}`)
    .join(', ');
}
