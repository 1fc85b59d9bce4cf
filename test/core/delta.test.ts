import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { counters, histogram, startStory } from './story.ts';

const OLD = -100_000;

describe('D2: never negative', () => {
  test('a sum of observations that falls without a restart waits until it has risen again', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [1, 2], 10));
    assert.deepEqual(story.run(60, histogram('h', [1], [1, 3], 7)), ['h 1 0 [0 1] (0,60]']);
    assert.deepEqual(story.pending(), { h: [-3, 0, 0] });
    assert.deepEqual(story.run(120, histogram('h', [1], [1, 4], 12)), ['h 1 2 [0 1] (60,120]']);
    assert.deepEqual(story.pending(), {});
  });

  test('a fall within the rounding of the writer is no restart and no decrease', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 1e12 }));
    assert.deepEqual(story.run(60, counters({ a_total: 1e12 - 100 })), ['a_total 0 (0,60]']);
    assert.deepEqual(story.run(120, counters({ a_total: 1e12 + 5 })), ['a_total 5 (60,120]']);
  });

  test('a fall just past that is a restart', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 1e12 }));
    assert.deepEqual(story.run(60, counters({ a_total: 1e12 - 2000 })), [`a_total ${1e12 - 2000} (0,60]`]);
  });
});

describe('D3: windows touch', () => {
  test('each window begins where the last accepted one ended', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }));
    assert.deepEqual(story.run(60, counters({ a_total: 7 })), ['a_total 2 (0,60]']);
    assert.deepEqual(story.run(120, counters({ a_total: 7 })), ['a_total 0 (60,120]']);
    assert.deepEqual(story.run(180, undefined), []);
    assert.deepEqual(story.run(240, counters({ a_total: 8 })), ['a_total 1 (120,240]']);
  });

  test('a zero that was not delivered is part of the next window', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }));
    assert.deepEqual(story.run(60, counters({ a_total: 5 }), { export: 'refused' }), ['a_total 0 (0,60]']);
    assert.deepEqual(story.run(120, counters({ a_total: 6 })), ['a_total 1 (0,120]']);
  });

  test('a label set that was away keeps its own window', () => {
    const story = startStory();
    story.run(0, counters({ 'a_total{x="1"}': 5, 'a_total{x="2"}': 5 }));
    assert.deepEqual(story.run(60, counters({ 'a_total{x="1"}': 6 })), ['a_total{x="1"} 1 (0,60]']);
    assert.deepEqual(story.run(120, counters({ 'a_total{x="1"}': 6, 'a_total{x="2"}': 9 })), [
      'a_total{x="1"} 0 (60,120]',
      'a_total{x="2"} 4 (0,120]',
    ]);
  });
});

describe('D4: pending survives', () => {
  test('an outage: one point carries the gap', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }));
    story.run(60, counters({ a_total: 7 }), { export: 'refused' });
    story.run(120, counters({ a_total: 10 }), { export: 'refused' });
    assert.deepEqual(story.run(180, counters({ a_total: 11 })), ['a_total 6 (0,180]']);
  });

  test('a restart during the outage, outgrowing the old values, told by the start time', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }, OLD));
    story.run(60, counters({ a_total: 7 }, OLD), { export: 'refused' });
    story.run(120, counters({ a_total: 100 }, 90), { export: 'refused' });
    assert.deepEqual(story.pending(), { a_total: [102] });
    assert.deepEqual(story.run(180, counters({ a_total: 101 }, 90)), ['a_total 103 (0,180]']);
    assert.deepEqual(story.run(240, counters({ a_total: 102 }, 90)), ['a_total 1 (180,240]']);
  });

  test('two restarts during the outage', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }, OLD));
    story.run(60, counters({ a_total: 3 }, 50), { export: 'refused' });
    story.run(120, counters({ a_total: 4 }, 110), { export: 'refused' });
    assert.deepEqual(story.run(180, counters({ a_total: 4 }, 110)), ['a_total 7 (0,180]']);
  });

  test('pending goes out although the scrape fails, and once only', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }));
    story.run(60, counters({ a_total: 7 }), { export: 'refused' });
    assert.deepEqual(story.run(120, undefined), ['a_total 2 (0,120]']);
    assert.deepEqual(story.run(180, undefined), []);
    assert.deepEqual(story.run(240, counters({ a_total: 8 })), ['a_total 1 (120,240]']);
  });

  test('pending of a label set that vanished with a restart goes out', () => {
    const story = startStory();
    story.run(0, counters({ 'a_total{x="1"}': 5 }, OLD));
    story.run(60, counters({ 'a_total{x="1"}': 8 }, OLD), { export: 'refused' });
    assert.deepEqual(story.run(120, counters({ 'a_total{x="2"}': 1 }, 100)), [
      'a_total{x="2"} 1 (60,120]',
      'a_total{x="1"} 3 (0,120]',
    ]);
    assert.deepEqual(story.run(180, counters({ 'a_total{x="1"}': 2 }, 100)), ['a_total{x="1"} 2 (120,180]']);
  });

  test('a histogram moves as one', () => {
    const story = startStory();
    story.run(0, histogram('h', [1, 2], [1, 2, 3], 4));
    story.run(60, histogram('h', [1, 2], [2, 4, 6], 8), { export: 'refused' });
    story.run(120, histogram('h', [1, 2], [0, 0, 1], 5), { export: 'refused' });
    assert.deepEqual(story.run(180, histogram('h', [1, 2], [0, 1, 2], 7)), ['h 5 11 [1 2 2] (0,180]']);
  });
});

describe('D5: new series of a known target', () => {
  test('start from zero', () => {
    const story = startStory();
    story.run(0, counters({ 'a_total{x="1"}': 5 }));
    assert.deepEqual(story.run(60, counters({ 'a_total{x="1"}': 5, 'a_total{x="2"}': 9, b_total: 3 })), [
      'a_total{x="1"} 0 (0,60]',
      'a_total{x="2"} 9 (0,60]',
      'b_total 3 (0,60]',
    ]);
  });

  test('but not after a page whose family had a refused line', () => {
    const story = startStory();
    story.run(
      0,
      `${counters({ 'a_total{x="1"}': 5, b_total: 1 })}# TYPE a_total counter\na_total{x="2"} what\n`,
    );
    assert.deepEqual(story.run(60, counters({ 'a_total{x="2"}': 9, c_total: 3, b_total: 1 })), [
      'c_total 3 (0,60]',
      'b_total 0 (0,60]',
      'drop initial 1',
    ]);
    assert.deepEqual(story.run(120, counters({ 'a_total{x="3"}': 4 })), ['a_total{x="3"} 4 (60,120]']);
  });

  test('nor after a page with a line of which not even the name could be read', () => {
    const story = startStory();
    story.run(0, `= 3\n${counters({ a_total: 5 })}`);
    assert.deepEqual(story.run(60, counters({ b_total: 9 })), ['drop initial 1']);
  });

  test('nor when the page was read another way', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }));
    assert.deepEqual(story.run(60, counters({ a_total: 6, b_total: 9 }), { shape: 2 }), [
      'a_total 1 (0,60]',
      'drop initial 1',
    ]);
    assert.deepEqual(story.run(120, counters({ c_total: 2 }), { shape: 2 }), ['c_total 2 (60,120]']);
  });

  test('nor when its value was refused on the last page', () => {
    const story = startStory();
    assert.deepEqual(story.run(0, counters({ a_total: NaN, b_total: 1 })), ['drop nan 1', 'drop initial 1']);
    assert.deepEqual(story.run(60, counters({ a_total: 7 })), ['drop initial 1']);
  });

  test('a failed scrape in between changes nothing', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }));
    story.run(60, undefined);
    assert.deepEqual(story.run(120, counters({ b_total: 9 })), ['b_total 9 (0,120]']);
  });
});

describe('row 10: D6: new targets', () => {
  const first = (startS: number | undefined, facts = {}) =>
    startStory(facts).run(0, counters({ a_total: 5 }, startS));

  test('an old or unknown process: a baseline only', () => {
    assert.deepEqual(first(undefined), ['drop initial 1']);
    assert.deepEqual(first(OLD), ['drop initial 1']);
    assert.deepEqual(first(-3601), ['drop initial 1']);
  });

  test('a process of at most an hour: its counts are ours', () => {
    assert.deepEqual(first(-3600), ['a_total 5 (-60,0]']);
    assert.deepEqual(first(-10), ['a_total 5 (-60,0]']);
    // A tick is up to a minute before the scrape, so a process may be younger than the tick.
    assert.deepEqual(first(30), ['a_total 5 (-60,0]']);
  });

  test('max_staleness below an hour bounds the age as well', () => {
    assert.deepEqual(first(-600, { maxStalenessMs: 600_000 }), ['a_total 5 (-60,0]']);
    assert.deepEqual(first(-601, { maxStalenessMs: 600_000 }), ['drop initial 1']);
    assert.deepEqual(first(-3600, { maxStalenessMs: 0 }), ['a_total 5 (-60,0]']);
  });

  test('initial_value: keep and drop', () => {
    assert.deepEqual(first(undefined, { initialValue: 'keep' }), ['a_total 5 (-60,0]']);
    assert.deepEqual(first(-10, { initialValue: 'drop' }), ['drop initial 1']);
  });

  test('_created speaks for its own series', () => {
    const page = (createdS: number): string =>
      `# TYPE a counter\na_total 5\na_created ${1_767_225_600 + createdS}\n# TYPE b counter\nb_total 7\n# EOF\n`;
    assert.deepEqual(startStory().run(0, page(-60)), ['a_total 5 (-60,0]', 'drop initial 1']);
    assert.deepEqual(startStory().run(0, page(-3601)), ['drop initial 2']);
  });

  test('families that outlive a process always begin with a baseline', () => {
    const page = counters(
      { DCGM_FI_DEV_X: 5, node_cpu_total: 6, gpu_total_energy_consumption_joules: 7, a_total: 1 },
      -10,
    );
    assert.deepEqual(startStory().run(0, page), ['a_total 1 (-60,0]', 'drop initial 3']);
  });
});

describe('D7: restarts', () => {
  test('by value: everything since the restart is the increase', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 100 }));
    story.run(60, counters({ a_total: 120 }));
    assert.deepEqual(story.run(120, counters({ a_total: 100 })), ['a_total 100 (60,120]']);
    assert.deepEqual(story.run(180, counters({ a_total: 110 })), ['a_total 10 (120,180]']);
  });

  test('by start time: also of what outgrew its old value, and of histograms', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5, b_total: 9 }, OLD) + histogram('h', [1], [1, 2], 3));
    assert.deepEqual(
      story.run(60, counters({ a_total: 6, b_total: 1 }, 30) + histogram('h', [1], [2, 4], 6)),
      ['a_total 6 (0,60]', 'b_total 1 (0,60]', 'h 4 6 [2 2] (0,60]'],
    );
  });

  test('a histogram restarts by its buckets, with the same count or a larger one', () => {
    const restarts = (before: readonly number[], after: readonly number[]): readonly string[] => {
      const story = startStory();
      story.run(0, histogram('h', [1], before, 50));
      return story.run(60, histogram('h', [1], after, 9));
    };
    assert.deepEqual(restarts([4, 10], [5, 10]), ['h 10 9 [5 5] (0,60]']);
    assert.deepEqual(restarts([9, 10], [2, 12]), ['h 12 9 [2 10] (0,60]']);
    assert.deepEqual(restarts([4, 10], [1, 5]), ['h 5 9 [1 4] (0,60]']);
  });

  test('a sum that falls decides nothing', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [4, 10], 50));
    assert.deepEqual(story.run(60, histogram('h', [1], [5, 11], 9)), ['h 1 0 [1 0] (0,60]']);
  });

  test('by _created, on the target’s clock', () => {
    const page = (value: number, createdS: number): string =>
      `# TYPE a counter\na_total ${value}\na_created ${1_767_225_600 + createdS}\n# EOF\n`;
    const story = startStory();
    story.run(0, page(5, OLD));
    assert.deepEqual(story.run(60, page(7, OLD)), ['a_total 2 (0,60]']);
    assert.deepEqual(story.run(120, page(9, 100)), ['a_total 9 (60,120]']);
    assert.deepEqual(story.run(180, page(10, 100)), ['a_total 1 (120,180]']);
  });

  test('the start time must have moved by more than five seconds', () => {
    for (const [movedS, restarted] of [
      [5, false],
      [6, true],
    ] as const) {
      const story = startStory();
      story.run(0, counters({ a_total: 5 }, -3));
      const [point] = story.run(60, counters({ a_total: 7 }, -3 + movedS));
      assert.equal(point, restarted ? 'a_total 7 (0,60]' : 'a_total 2 (0,60]');
    }
  });

  test('a slow creep of the start time is no restart', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5 }, 0));
    for (let i = 1; i <= 10; i++) {
      assert.deepEqual(story.run(60 * i, counters({ a_total: 5 + i }, 4 * i)), [
        `a_total 1 (${60 * (i - 1)},${60 * i}]`,
      ]);
    }
  });

  test('a restart between the tick and its late scrape is told by the page’s own time', () => {
    const story = startStory();
    // Scraped 59 s after its tick; the process started 40 s after that tick, so the page already was the new life's.
    story.run(0, counters({ a_total: 5 }, 40), { lateS: 59 });
    assert.deepEqual(story.run(60, counters({ a_total: 6 }, 40), { lateS: 59 }), ['a_total 1 (0,60]']);
  });

  test('families that outlive a process go by value', () => {
    const story = startStory();
    story.run(0, counters({ DCGM_FI_DEV_X: 5, a_total: 5 }, OLD));
    assert.deepEqual(story.run(60, counters({ DCGM_FI_DEV_X: 7, a_total: 7 }, 30)), [
      'DCGM_FI_DEV_X 2 (0,60]',
      'a_total 7 (0,60]',
    ]);
    assert.deepEqual(story.run(120, counters({ DCGM_FI_DEV_X: 1 }, 30)), ['DCGM_FI_DEV_X 1 (60,120]']);
  });

  test('a series away during the restart counts from zero when it is back', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5, b_total: 5 }, OLD));
    story.run(60, counters({ a_total: 1 }, 30));
    assert.deepEqual(story.run(120, counters({ b_total: 7 }, 30)), ['b_total 7 (0,120]']);
  });

  test('new bounds without a restart: a baseline only; the old ones drain first', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [1, 2], 3));
    story.run(60, histogram('h', [1], [2, 4], 6), { export: 'refused' });
    assert.deepEqual(story.run(120, histogram('h', [1, 2], [3, 5, 6], 9)), [
      'h 2 3 [1 1] (0,120]',
      'drop bucket_mismatch 1',
    ]);
    assert.deepEqual(story.run(180, histogram('h', [1, 2], [3, 6, 7], 10)), ['h 1 1 [0 1 0] (120,180]']);
  });

  test('while old bounds cannot drain, the new ones wait: one point per series and tick', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [1, 2], 3));
    story.run(60, histogram('h', [1], [2, 4], 6), { export: 'refused' });
    story.run(120, histogram('h', [2], [3, 6], 9), { export: 'refused' });
    assert.deepEqual(story.run(180, histogram('h', [2], [4, 8], 12)), ['h 2 3 [1 1] (0,180]']);
    assert.deepEqual(story.run(240, histogram('h', [2], [4, 8], 12)), ['h 2 3 [1 1] (180,240]']);
    assert.deepEqual(story.pending(), {});
  });

  test('new bounds with a restart: all of it is increase', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [1, 2], 3, OLD));
    assert.deepEqual(story.run(60, histogram('h', [5], [1, 4], 6, 30)), ['h 4 6 [1 3] (0,60]']);
  });
});

describe('vectors of cumulative-to-delta conversion', () => {
  const sums = (...values: readonly number[]): readonly string[] => {
    const story = startStory();
    return values
      .flatMap((value, i) => story.run(10 * i, counters({ a_total: value })))
      .filter((line) => !line.startsWith('drop'));
  };

  test('a plain sum', () => {
    assert.deepEqual(sums(0, 100, 200, 500), [
      'a_total 100 (0,10]',
      'a_total 100 (10,20]',
      'a_total 300 (20,30]',
    ]);
  });

  test('a restart is counted, where the Collector drops it', () => {
    assert.deepEqual(sums(100, 105, 120, 100, 110), [
      'a_total 5 (0,10]',
      'a_total 15 (10,20]',
      'a_total 100 (20,30]',
      'a_total 10 (30,40]',
    ]);
  });

  test('NaN is left out and the state stays', () => {
    assert.deepEqual(sums(0, 100, 200, NaN, 500), [
      'a_total 100 (0,10]',
      'a_total 100 (10,20]',
      'a_total 300 (20,40]',
    ]);
  });

  test('a histogram', () => {
    const story = startStory();
    const page = (...cumulative: number[]): string =>
      histogram('h', [1, 2], cumulative, cumulative[2] as number);
    story.run(0, page(0, 0, 0));
    assert.deepEqual(story.run(10, page(50, 75, 100)), ['h 100 100 [50 25 25] (0,10]']);
    assert.deepEqual(story.run(20, page(100, 150, 200)), ['h 100 100 [50 25 25] (10,20]']);
    assert.deepEqual(story.run(30, page(250, 375, 500)), ['h 300 300 [150 75 75] (20,30]']);
  });

  test('a histogram that restarts recovers at the next point', () => {
    const story = startStory();
    const counts = [10, 20, 5, 15, 25].flatMap((count, i) =>
      story.run(10 * i, histogram('h', [1], [0, count], count)),
    );
    assert.deepEqual(counts.slice(1), [
      'h 10 10 [0 10] (0,10]',
      'h 5 5 [0 5] (10,20]',
      'h 10 10 [0 10] (20,30]',
      'h 10 10 [0 10] (30,40]',
    ]);
  });
});
