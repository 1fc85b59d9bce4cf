/** The only place that reads the function's environment: names of things, never secrets. */
import { readFileSync } from 'node:fs';

/** @throws Error when the variable is not set: the deployment is at fault, and no request could go right. */
export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`cannot start: the environment variable ${name} is not set; deploy the stack again`);
  }
  return value;
}

/** Undefined when it is not set or empty. */
export function optional(name: string): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}

/** @throws Error as `required` where it is set and no URL. */
export function optionalUrl(name: string): URL | undefined {
  const value = optional(name);
  return value === undefined ? undefined : (URL.parse(value) ?? unusable(name));
}

/**
 * The text of the file that the variable names: a part of the deployment, read once at the start.
 * @throws Error as `required` where it is set and there is no such file.
 */
export function optionalFile(name: string): string | undefined {
  const path = optional(name);
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8');
  } catch {
    return unusable(name);
  }
}

/** @throws Error always: the value is not what the stack writes. It is not repeated. */
export function unusable(name: string): never {
  throw new Error(
    `cannot start: the environment variable ${name} has no usable value; deploy the stack again`,
  );
}

/** @throws Error as `required`, also when it is no whole number. */
export function requiredNumber(name: string): number {
  const value = Number(required(name));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(
    `cannot start: the environment variable ${name} is no whole number; deploy the stack again`,
  );
}
