/** Secrets as a test needs them. */
import type { Secrets } from '../../functions/core/secrets.ts';

/** For targets whose options refer to none. */
export const noSecrets: Secrets = (reference) =>
  Promise.resolve({ code: 'absent', message: `no ${reference}` });

/** Those of the map, read anew each time; `asked` collects what was asked for, with `fresh` behind it. */
export function secretsIn(values: ReadonlyMap<string, string>, asked: string[] = []): Secrets {
  return (reference, _, fresh) => {
    asked.push(fresh ? `${reference} fresh` : reference);
    const value = values.get(reference);
    return value === undefined ? noSecrets(reference, 0, fresh) : Promise.resolve({ code: 'read', value });
  };
}
