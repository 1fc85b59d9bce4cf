/** The secrets of a local run: environment variables named after the references, so that documents stay as they are. */
import { NO_REFERENCE, type SecretPlace, type Secrets, placeOf } from '../core/secrets.ts';

/**
 * What the person's own tools keep in the environment. A pasted configuration could send it to any host, so no
 * reference reads it.
 */
const RESERVED = /^(?:AWS_|DT_)/;

/** `environment`: such as `process.env`; read at each call. */
export function createEnvSecrets(environment: Readonly<Record<string, string | undefined>>): Secrets {
  return (reference) => {
    const place = placeOf(reference);
    if (place === undefined) return Promise.resolve({ code: 'refused', message: NO_REFERENCE });
    const name = variableOf(place);
    const what = `cannot read the secret ${reference} from the environment`;
    if (RESERVED.test(name)) {
      const message = `${what}: ${name} is not for targets; give the secret another name`;
      return Promise.resolve({ code: 'refused', message });
    }
    const value = environment[name]?.trim() ?? '';
    if (value !== '') return Promise.resolve({ code: 'read', value });
    return Promise.resolve({
      code: 'absent',
      message: `${what}: ${name} is not set; set it: export ${name}=...`,
    });
  };
}

/**
 * `ssm:/nim-to-dynatrace/secrets/nim-token` is `NIM_TOKEN`, `arn:...:secret:nim/prod-AbCdEf#password` is
 * `NIM_PROD_PASSWORD`, and the field `token` of a pod's secret `nim` is `NIM_TOKEN`.
 */
export function variableOf(place: SecretPlace): string {
  const name = textOf(place)
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_');
  return /^\d/.test(name) ? `_${name}` : name;
}

function textOf(place: SecretPlace): string {
  if (place.store === 'ssm') return lastOf(place.name, '/');
  if (place.store === 'kubernetes') return `${place.object.name}_${place.object.field}`;
  const text = lastOf(place.arn, ':').replace(/-[A-Za-z0-9]{6}$/, '');
  return place.field === undefined ? text : `${text}_${place.field}`;
}

function lastOf(text: string, separator: string): string {
  return text.slice(text.lastIndexOf(separator) + 1);
}
