/** Selectors as Prometheus v0.316.0 takes and refuses them; held against its config.Load, with 6,000 made at random. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isFieldSelector, isLabelSelector } from '../../functions/core/config/selectors.ts';

describe('a label selector', () => {
  const TAKEN = [
    '',
    ' ',
    'a',
    'app=nim',
    'app==nim',
    'app!=nim',
    'a = b',
    'a=',
    'a=,b=',
    '!canary',
    '! canary',
    'a,b',
    'app=nim,tier in (gpu, cpu),!canary',
    'a in(b)',
    'a  notin ( b , c )',
    'a in (,)',
    'a>5',
    'a < 5',
    'nvidia.com/gpu.product=A100',
    'A.b=c_d',
    'in=a',
    'a=in',
    'a in (b,in)',
    'a=\n b',
    `a=${'b'.repeat(63)}`,
    `a/${'b'.repeat(63)}`,
  ];
  const REFUSED = [
    'a=b,',
    ',a',
    ',',
    'a>x',
    'a< -5',
    'x/y/z=1',
    'A.b/c',
    'a===b',
    'app:nim',
    'app nim',
    'a=b c',
    'app=nim;b=c',
    'a=-b',
    '(a=b)',
    'app="nim"',
    'a in (b',
    'a in b',
    'a inb',
    '=a',
    'a=b=c',
    '!a=b',
    `a=${'b'.repeat(64)}`,
    `a/${'b'.repeat(64)}`,
  ];
  for (const text of TAKEN) test(`${JSON.stringify(text)} is one`, () => assert(isLabelSelector(text)));
  for (const text of REFUSED) test(`${JSON.stringify(text)} is none`, () => assert(!isLabelSelector(text)));
});

describe('a field selector', () => {
  for (const text of ['', ',', 'a=b', 'a==b', 'a!=b', 'a=b,', 'a=b,c!=d', 'a=b\\,c', 'metadata.name=a\\=b'])
    test(`${JSON.stringify(text)} is one`, () => assert(isFieldSelector(text)));
  for (const text of ['a', 'a,b=c', 'a=b,c', 'a\\,b'])
    test(`${JSON.stringify(text)} is none`, () => assert(!isFieldSelector(text)));
});

test('a long one is read in no time', () => {
  for (const text of [
    `a=${' '.repeat(8_000)}`,
    'a in ('.repeat(1_300),
    'a,'.repeat(4_000),
    'a-'.repeat(4_000),
  ])
    isLabelSelector(text);
});
