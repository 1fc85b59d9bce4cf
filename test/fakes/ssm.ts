/** SSM Parameter Store on the wire: what the product reads, and `put` and `remove` for what a person does. */
import { startAwsJson } from './aws-json.ts';
import type { AwsError, AwsJsonServer } from './aws-json.ts';

type ParameterType = 'String' | 'StringList' | 'SecureString';

interface Stored {
  readonly value: string;
  readonly type: ParameterType;
  readonly version: number;
  readonly modifiedAtS: number;
}

/** The first edit; each comes a second after the one before. */
export const FIRST_EDIT_S = 1_767_225_600;

export interface FakeSsm extends AwsJsonServer {
  /** Creates or overwrites; the version rises by one. Default type: as before, else String. */
  readonly put: (name: string, value: string, type?: ParameterType) => void;
  readonly remove: (name: string) => void;
}

interface SsmOptions {
  readonly parameters?: Readonly<Record<string, string>>;
  /** Names of `parameters` that are SecureStrings. */
  readonly secure?: readonly string[];
  /** Items on the first pages of a listing or a history, 0 for an empty one; the pages after these are full. */
  readonly pageSizes?: readonly number[];
}

const MAX_RESULTS = 10;
const MAX_HISTORY_RESULTS = 50;

/** The oldest version gives way. */
const MAX_VERSIONS = 100;

export async function startSsm(options: SsmOptions = {}): Promise<FakeSsm> {
  const stored = new Map<string, Stored>();
  const histories = new Map<string, readonly Stored[]>();
  let edits = 0;
  const put: FakeSsm['put'] = (name, value, type) => {
    const before = stored.get(name);
    const version = (before?.version ?? 0) + 1;
    const after: Stored = {
      value,
      type: type ?? before?.type ?? 'String',
      version,
      modifiedAtS: FIRST_EDIT_S + edits++,
    };
    stored.set(name, after);
    histories.set(name, [...(histories.get(name) ?? []), after].slice(-MAX_VERSIONS));
  };
  const remove: FakeSsm['remove'] = (name) => {
    stored.delete(name);
    histories.delete(name);
  };
  for (const [name, value] of Object.entries(options.parameters ?? {})) {
    put(name, value, options.secure?.includes(name) === true ? 'SecureString' : 'String');
  }
  const server = await startAwsJson('AmazonSSM', {
    GetParameter: (input: GetParameterInput) => getParameter(stored, input),
    GetParameters: (input: GetParametersInput) => getParameters(stored, input),
    GetParametersByPath: (input: ByPathInput) => getParametersByPath(stored, options.pageSizes ?? [], input),
    GetParameterHistory: (input: HistoryInput) => getHistory(histories, options.pageSizes ?? [], input),
  });
  return { ...server, put, remove };
}

interface GetParameterInput {
  readonly Name: string;
  readonly WithDecryption?: boolean;
}

function getParameter(stored: ReadonlyMap<string, Stored>, input: GetParameterInput) {
  const parameter = stored.get(input.Name);
  if (parameter === undefined) return error('ParameterNotFound', `Parameter ${input.Name} not found.`);
  return { Parameter: describe(input.Name, parameter, input.WithDecryption) };
}

interface GetParametersInput {
  readonly Names: readonly string[];
  readonly WithDecryption?: boolean;
}

function getParameters(stored: ReadonlyMap<string, Stored>, input: GetParametersInput) {
  if (input.Names.length > MAX_RESULTS) return error('ValidationException', 'names: more than 10');
  const found = input.Names.flatMap((name) => {
    const parameter = stored.get(name);
    return parameter === undefined ? [] : [describe(name, parameter, input.WithDecryption)];
  });
  return { Parameters: found, InvalidParameters: input.Names.filter((name) => !stored.has(name)) };
}

interface ByPathInput {
  readonly Path: string;
  readonly Recursive?: boolean;
  readonly MaxResults?: number;
  readonly WithDecryption?: boolean;
  readonly NextToken?: string;
}

function getParametersByPath(
  stored: ReadonlyMap<string, Stored>,
  pageSizes: readonly number[],
  input: ByPathInput,
) {
  const { MaxResults: maxResults = MAX_RESULTS } = input;
  if (maxResults < 1 || maxResults > MAX_RESULTS) return error('ValidationException', 'maxResults: 1 to 10');
  const folder = input.Path.endsWith('/') ? input.Path : `${input.Path}/`;
  const names = [...stored.keys()].filter(
    (name) =>
      name.startsWith(folder) && (input.Recursive === true || !name.slice(folder.length).includes('/')),
  );
  const { page, nextToken } = pageOf(names, pageSizes, maxResults, input.NextToken);
  const parameters = page.flatMap((name) => {
    const parameter = stored.get(name);
    return parameter === undefined ? [] : [describe(name, parameter, input.WithDecryption)];
  });
  return { Parameters: parameters, ...nextToken };
}

interface HistoryInput {
  readonly Name: string;
  readonly MaxResults?: number;
  readonly WithDecryption?: boolean;
  readonly NextToken?: string;
}

/** Oldest first, the current version among them. */
function getHistory(
  histories: ReadonlyMap<string, readonly Stored[]>,
  pageSizes: readonly number[],
  input: HistoryInput,
) {
  const { MaxResults: maxResults = MAX_HISTORY_RESULTS } = input;
  if (maxResults < 1 || maxResults > MAX_HISTORY_RESULTS) {
    return error('ValidationException', 'maxResults: 1 to 50');
  }
  const versions = histories.get(input.Name);
  if (versions === undefined) return error('ParameterNotFound', `Parameter ${input.Name} not found.`);
  const { page, nextToken } = pageOf(versions, pageSizes, maxResults, input.NextToken);
  return { Parameters: page.map((one) => describe(input.Name, one, input.WithDecryption)), ...nextToken };
}

/** The token is `<page>/<items before it>`; an answer without one is the last. */
function pageOf<Item>(
  items: readonly Item[],
  pageSizes: readonly number[],
  maxResults: number,
  token = '0/0',
): { readonly page: readonly Item[]; readonly nextToken: { readonly NextToken?: string } } {
  const [page = 0, start = 0] = token.split('/').map(Number);
  const end = start + Math.min(pageSizes[page] ?? maxResults, maxResults);
  return {
    page: items.slice(start, end),
    nextToken: end < items.length ? { NextToken: `${page + 1}/${end}` } : {},
  };
}

function describe(name: string, parameter: Stored, decrypt = false) {
  const encrypted = parameter.type === 'SecureString' && !decrypt;
  const value = encrypted ? `AQICAH${Buffer.from(parameter.value).toString('base64')}` : parameter.value;
  const { type, version, modifiedAtS } = parameter;
  return {
    Name: name,
    Type: type,
    Value: value,
    Version: version,
    LastModifiedDate: modifiedAtS,
    DataType: 'text',
  };
}

function error(code: string, message: string): AwsError {
  return { code, message };
}
