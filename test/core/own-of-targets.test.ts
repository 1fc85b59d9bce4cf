/** What a discovery says of its targets, beside what their job says of all. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { targetsOfJob } from '../../functions/core/job-targets.ts';
import type { Target } from '../../functions/core/model.ts';
import { checkRelabel } from '../../functions/core/relabel/relabel.ts';
import type { OwnOfTargets } from '../../functions/core/scrape-config.ts';

const PREFIX = '/nim-to-dynatrace';
const TOKEN = `ssm:${PREFIX}/secrets/nim`;
const OWN = 'eks://prod/secret/nim/llm/token';

/** The target of a job with this under its settings, on an address of which a discovery says `own`. */
function targetOf(own: OwnOfTargets | undefined, settings = ''): Target {
  const value = `job_name: nim\nstatic_configs: [{targets: ["x:1"]}]\n${settings}\n`;
  const read = readDocuments([{ name: `${PREFIX}/targets/nim`, value }], { prefix: PREFIX, checkRelabel });
  assert.deepEqual(read.problems, []);
  const [config] = read.configs;
  assert.ok(config);
  const group = { targets: ['10.0.1.17:8000'], labels: {}, ...(own && { own }) };
  const { targets, problems } = targetsOfJob(config, [group], []);
  assert.deepEqual(problems, []);
  assert.equal(targets.length, 1);
  return targets[0] as Target;
}

test('nothing of its own: the target is as its job says', () => {
  assert.deepEqual(targetOf({}), targetOf(undefined));
});

describe('the uid', () => {
  test('is part of the identity: a new process on an old address is another target', () => {
    const [old, fresh, none] = [targetOf({ uid: 'a' }), targetOf({ uid: 'b' }), targetOf(undefined)];
    assert.equal(new Set([old.key, fresh.key, none.key]).size, 3);
    assert.equal(old.key, `${none.key}#a`);
    assert.deepEqual([old.job, old.instance], [fresh.job, fresh.instance]);
  });

  test('cannot be written so that it is another key', () => {
    assert.equal(targetOf({ uid: '#/b' }).key, `${targetOf(undefined).key}#%23%2Fb`);
  });
});

test('the moment of its list travels with a pod, and is no part of its identity', () => {
  const [known, none] = [targetOf({ uid: 'a', listedAtMs: 7 }), targetOf({ uid: 'a' })];
  assert.deepEqual([known.listedAtMs, none.listedAtMs], [7, undefined]);
  assert.equal(known.key, none.key);
});

describe('attributes', () => {
  test('the job wins over the discovery', () => {
    const own = { attributes: { 'k8s.pod.name': 'llm-0', 'k8s.cluster.name': 'prod' } };
    const settings = 'dynatrace: { attributes: { k8s.cluster.name: mine, team: llm } }';
    assert.deepEqual(targetOf(own, settings).attributes, {
      'k8s.pod.name': 'llm-0',
      'k8s.cluster.name': 'mine',
      team: 'llm',
    });
  });
});

describe('the filter', () => {
  const outputOf = (filter: OwnOfTargets['filter'], settings = '') => {
    const { include, exclude, preset } = targetOf(filter && { filter }, settings).output;
    return { include, exclude, preset };
  };
  const settings = 'dynatrace: { preset: core, include: [gpu_*], exclude: [python_*] }';

  test('include: nothing but these, and still nothing of what the job excludes', () => {
    const plain = outputOf(undefined, settings);
    assert.deepEqual(outputOf({ mode: 'include', names: ['num_*'] }, settings), {
      include: ['num_*'],
      exclude: plain.exclude,
      preset: undefined,
    });
  });

  test('exclude: what the job sends, but these', () => {
    const plain = outputOf(undefined, settings);
    assert.deepEqual(outputOf({ mode: 'exclude', names: ['num_*'] }, settings), {
      ...plain,
      exclude: [...plain.exclude, 'num_*'],
    });
  });
});

describe('credentials and TLS', () => {
  const basicAuth = { username: 'nim', password: OWN };
  const authorization = { type: 'Bearer', credentials: OWN };
  const JOB = {
    authorization: `authorization: { credentials: "${TOKEN}" }`,
    basicAuth: `basic_auth: { username: team, password: "${TOKEN}" }`,
  };

  test("a pod's own stand instead of the job's, of whichever kind: a request has one Authorization header", () => {
    for (const settings of ['', JOB.authorization, JOB.basicAuth]) {
      const basic = targetOf({ settings: { basicAuth } }, settings);
      assert.deepEqual([basic.basicAuth, basic.authorization], [basicAuth, undefined]);
      const bearer = targetOf({ settings: { authorization } }, settings);
      assert.deepEqual([bearer.basicAuth, bearer.authorization], [undefined, authorization]);
    }
  });

  test("without them the job's are sent", () => {
    const own = { settings: { tlsConfig: { insecureSkipVerify: true } } };
    const target = targetOf(own, `${JOB.authorization}\ntls_config: { server_name: nim }`);
    assert.deepEqual(target.authorization, { type: 'Bearer', credentials: TOKEN });
    assert.deepEqual(target.tlsConfig, { insecureSkipVerify: true });
    assert.deepEqual(targetOf({ settings: {} }, JOB.basicAuth).basicAuth, {
      username: 'team',
      password: TOKEN,
    });
  });
});
