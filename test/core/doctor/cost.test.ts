/** What points cost. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  BILLED_POINTS,
  COST_ASSUMPTIONS,
  LIST_PRICE_PER_100K,
  MINUTES_PER_YEAR,
  costOf,
} from '../../../functions/core/doctor/cost.ts';

describe('cost', () => {
  test('one metric a minute is 525,600 points a year', () => {
    assert.equal(MINUTES_PER_YEAR, 525_600);
    assert.equal(costOf(1).pointsPerYear, 525_600);
  });

  test('15 points a minute, a NIM with the preset core, at the list price', () => {
    assert.deepEqual(costOf(15), { pointsPerYear: 7_884_000, dollarsPerYear: 11.83 });
  });

  test('at the price of a rate card; nothing costs nothing', () => {
    assert.deepEqual(costOf(15, 1), { pointsPerYear: 7_884_000, dollarsPerYear: 78.84 });
    assert.deepEqual(costOf(0), { pointsPerYear: 0, dollarsPerYear: 0 });
  });

  test('every kind of point is one billed point, and the assumptions name the price', () => {
    assert.deepEqual(BILLED_POINTS, { counter: 1, gauge: 1, histogram: 1 });
    assert(COST_ASSUMPTIONS.some((assumption) => assumption.includes(`${LIST_PRICE_PER_100K} US dollars`)));
  });
});
