/** The only place that reads the function's environment: names of things, never secrets. */

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

/** Separated by commas; empty when it is not set. */
export function list(name: string): readonly string[] {
  return (optional(name) ?? '').split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]));
}

/** @throws Error as `required`, also when it is no whole number. */
export function requiredNumber(name: string): number {
  const value = Number(required(name));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(
    `cannot start: the environment variable ${name} is no whole number; deploy the stack again`,
  );
}
