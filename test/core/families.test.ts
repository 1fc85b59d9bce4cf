import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { EVERY_FAMILY, groupFamilies } from '../../functions/core/families.ts';
import type { CumulativeKind } from '../../functions/core/model.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { pageOf, printFamilies } from './notation.ts';

/** A page, its lines apart by `; ` or a line end, and what the baseline remembers -> its families in one line. */
function f(page: string, want: string, known: Readonly<Record<string, CumulativeKind>> = {}): void {
  assert.equal(printFamilies(`${page.replaceAll(/; |\n +/g, '\n')}\n`, known), want, page);
}

/** The same as OpenMetrics. */
function om(page: string, want: string): void {
  f(`${page}; # EOF`, want);
}

/** Lines of histogram `h`. */
function h(lines: string, want: string): void {
  f(`# TYPE h histogram; ${lines}`, want);
}

describe('gauges and counters', () => {
  test('TYPE decides', () => {
    f('# TYPE a gauge; a 1', 'gauge a 1');
    f('# TYPE a_total counter; a_total{b="x"} 3', 'counter a_total{b="x"} 3');
    f('# TYPE a counter; a 3', 'counter a 3'); // without _total: Triton, DCGM
    f('# TYPE a counter; a_total 3', 'counter a_total 3'); // as in OpenMetrics
    om('# TYPE a counter; a_total 3', 'counter a_total 3');
    f('a_total 3; # TYPE a_total counter', 'counter a_total 3');
  });

  test('without TYPE, or untyped: a gauge, whatever the name', () => {
    f('a_total 1; b_bucket{le="1"} 2; c_sum 3', 'gauge a_total 1; gauge b_bucket{le="1"} 2; gauge c_sum 3');
    f('# HELP a h; a 1; # TYPE b untyped; b 2; # TYPE c unknown; c 3', 'gauge a 1; gauge b 2; gauge c 3');
  });

  test('a gauge named like a counter or a part of a histogram', () => {
    f('# TYPE nim_status_total gauge; nim_status_total 1', 'gauge nim_status_total 1');
    f('# TYPE looks_like_bucket gauge; looks_like_bucket 3', 'gauge looks_like_bucket 3');
    f('# TYPE a histogram; # TYPE a_count gauge; a_count 1', 'gauge a_count 1');
    f('# TYPE a gauge; a_total 1; a_count 2; a_sum 3', 'gauge a_total 1; gauge a_count 2; gauge a_sum 3');
  });

  test('a gauge and a counter of one family name', () => {
    om('# TYPE a gauge; a 1; # TYPE a counter; a_total 2', 'gauge a 1; counter a_total 2');
    om('# TYPE a gauge; a 1; # TYPE a gauge; a_total 2', 'gauge a 1; gauge a_total 2');
  });

  test('a counter named like a part of a histogram', () => {
    f('# TYPE things_count counter; things_count 3', 'counter things_count 3');
    f(
      '# TYPE jobs counter; # TYPE jobs_created counter; jobs 2; jobs_created 3',
      'counter jobs 2; counter jobs_created 3',
    );
    f('# TYPE _total counter; _total 1', 'counter _total 1');
  });

  test('values that Dynatrace does not take', () => {
    f('# TYPE a gauge; a NaN; b +Inf; c -Inf; d -1', 'gauge d -1; drop nan 3');
    f('# TYPE a counter; a NaN', 'drop nan 1; not whole: a');
    f(
      '# TYPE a counter; a_total{b="1"} Inf; a_total{b="2"} 1',
      'counter a_total{b="2"} 1; drop nan 1; not whole: a',
    );
    f('# TYPE a counter; a -1', 'drop negative 1; not whole: a');
    f('# TYPE a counter; a -0', 'counter a -0');
  });

  test('a series that stands twice: the first one counts', () => {
    f('a 1; a 2', 'gauge a 1; drop duplicate 1');
    f('# TYPE a counter; a{b="1"} 1; a {b="1"} 2', 'counter a{b="1"} 1; drop duplicate 1');
  });

  test('info, stateset and gaugehistogram are gauges', () => {
    om('# TYPE a info; a_info{b="1"} 1', 'gauge a_info{b="1"} 1');
    om('# TYPE a stateset; a{a="x"} 1; a{a="y"} 0', 'gauge a{a="x"} 1; gauge a{a="y"} 0');
    om(
      '# TYPE a gaugehistogram; a_bucket{le="1"} 2; a_bucket{le="+Inf"} 3; a_gcount 3; a_gsum 4',
      'gauge a_bucket{le="1"} 2; gauge a_bucket{le="+Inf"} 3; gauge a_gcount 3; gauge a_gsum 4',
    );
  });
});

describe('what the baseline remembers', () => {
  test('a lost TYPE line changes nothing', () => {
    f('a_total 3', 'counter a_total 3', { a_total: 'counter' });
    f('# HELP a h; a 3', 'counter a 3', { a: 'counter' });
    f(
      `b_bucket{le="1"} 1
       b_bucket{le="+Inf"} 2
       b_count 2
       b_sum 3
       c{quantile="0.5"} 1
       c_count 2
       c_sum 3`,
      'gauge c{quantile="0.5"} 1; histogram b le[1] [1 1] sum 3; summary c count 2 sum 3',
      { b: 'histogram', c: 'summary' },
    );
    f('a_total 3; a_created 5', 'counter a_total 3 created 5', { a_total: 'counter' });
  });

  test('a TYPE line outweighs it', () => {
    f('# TYPE a gauge; a 3', 'gauge a 3', { a: 'counter' });
    f('# TYPE a untyped; a 3', 'gauge a 3', { a: 'counter' });
  });

  test('other names are left alone', () => f('a_sum 1; ab 2', 'gauge a_sum 1; gauge ab 2', { a: 'counter' }));
});

describe('histograms', () => {
  test('buckets are told apart', () => {
    h(
      'h_bucket{le="0.1"} 2; h_bucket{le="1"} 3; h_bucket{le="+Inf"} 3; h_count 3; h_sum 5',
      'histogram h le[0.1 1] [2 1 0] sum 5',
    );
    h(
      `h_bucket{a="x",le="1"} 0
       h_bucket{a="x",le="+Inf"} 0
       h_count{a="x"} 0
       h_sum{a="x"} 0
       h_bucket{le="2",a="y"} 1
       h_count{a="y"} 4
       h_sum{a="y"} 5`,
      'histogram h{a="x"} le[1] [0 0] sum 0; histogram h{a="y"} le[2] [1 3] sum 5',
    );
  });

  test('in any order', () => {
    h(
      `h_sum 5
       h_bucket{le="+Inf"} 4
       h_bucket{le="10"} 3
       h_count 4
       h_bucket{le="2.5"} 1
       h_bucket{le="-1"} 0`,
      'histogram h le[-1 2.5 10] [0 1 2 1] sum 5',
    );
    f('h_count 1; h_sum 2; h_bucket{le="1"} 1; # TYPE h histogram', 'histogram h le[1] [1 0] sum 2');
  });

  test('without +Inf, without _count, without any bucket', () => {
    h('h_bucket{le="1"} 2; h_count 3; h_sum 4', 'histogram h le[1] [2 1] sum 4');
    h('h_bucket{le="1"} 2; h_bucket{le="+Inf"} 3; h_sum 4', 'histogram h le[1] [2 1] sum 4');
    // As in the Collector: where both stand and differ, the count is the count.
    h('h_bucket{le="1"} 2; h_bucket{le="+Inf"} 9; h_count 3; h_sum 4', 'histogram h le[1] [2 1] sum 4');
    h('h_count 3; h_sum 4', 'histogram h le[] [3] sum 4');
    h('h_bucket{le="+Inf"} 3; h_sum 4', 'histogram h le[] [3] sum 4');
    h('h_bucket{le="1"} 2; h_sum 4', 'drop invalid_histogram 1; not whole: h');
    h('h_sum 4', 'drop invalid_histogram 1; not whole: h');
  });

  test('a sum that is none', () => {
    h('h_bucket{le="1"} 2; h_count 3', 'drop invalid_histogram 1; not whole: h');
    h('h_bucket{le="1"} 2; h_count 3; h_sum NaN', 'drop invalid_histogram 1; not whole: h');
    h('h_bucket{le="1"} 2; h_count 3; h_sum +Inf', 'drop invalid_histogram 1; not whole: h');
    h('h_bucket{le="1"} 2; h_count 3; h_sum -4.5', 'histogram h le[1] [2 1] sum -4.5');
  });

  test('counts that are none', () => {
    const bad = 'drop invalid_histogram 1; not whole: h';
    h('h_bucket{le="1"} 5; h_bucket{le="2"} 4; h_bucket{le="+Inf"} 5; h_count 5; h_sum 1', bad); // falls
    h('h_bucket{le="1"} 5; h_count 4; h_sum 1', bad);
    h('h_bucket{le="1"} 5; h_bucket{le="+Inf"} 4; h_sum 1', bad);
    h('h_bucket{le="1"} 0.5; h_count 4; h_sum 1', bad);
    h('h_bucket{le="1"} 1; h_count 4.5; h_sum 1', bad);
    h('h_bucket{le="1"} -1; h_count 4; h_sum 1', bad);
    h('h_bucket{le="1"} NaN; h_count 4; h_sum 1', bad);
    h('h_bucket{le="1"} 1; h_count +Inf; h_sum 1', bad);
    h('h_count -1; h_sum 1', bad);
    h(
      'h_bucket{le="1"} 1; h_count 9007199254740991; h_sum 1',
      'histogram h le[1] [1 9007199254740990] sum 1',
    );
    h('h_bucket{le="1"} 1; h_count 9007199254740992; h_sum 1', bad);
  });

  test('bounds that are none', () => {
    const bad = 'drop invalid_histogram 1; not whole: h';
    h('h_bucket{le="x"} 1; h_bucket{le="1"} 1; h_count 4; h_sum 1', bad);
    h('h_bucket{le="NaN"} 1; h_count 4; h_sum 1', bad);
    h('h_bucket{le="-Inf"} 0; h_count 4; h_sum 1', bad);
    h('h_bucket 1; h_count 4; h_sum 1', 'histogram h le[] [4] sum 1; drop invalid_histogram 1; not whole: h');
    h(
      'h_bucket{le=""} 1; h_count 4; h_sum 1',
      'histogram h le[] [4] sum 1; drop invalid_histogram 1; not whole: h',
    );
  });

  test('bounds and parts that stand twice: the first one counts', () => {
    h(
      'h_bucket{le="1"} 1; h_bucket{le="1.0"} 2; h_count 4; h_sum 1',
      'histogram h le[1] [1 3] sum 1; drop duplicate 1',
    );
    h('h_bucket{le="+Inf"} 3; h_bucket{le="Inf"} 4; h_sum 1', 'histogram h le[] [3] sum 1; drop duplicate 1');
    h('h_count 3; h_count 4; h_sum 1; h_sum 2', 'histogram h le[] [3] sum 1; drop duplicate 2');
  });

  test('one that is none does not touch the others of its family', () => {
    h(
      'h_count{a="1"} 3; h_sum{a="1"} NaN; h_count{a="2"} 3; h_sum{a="2"} 1',
      'histogram h{a="2"} le[] [3] sum 1; drop invalid_histogram 1; not whole: h',
    );
  });

  test('the same lines under another family on a later page', () => {
    const table = createSeriesTable();
    const lines = 'h_bucket{le="1"} 1\nh_count 2\nh_sum 3\nh_bucket_count 2\nh_bucket_sum 3\n';
    const read = (type: string): string => printFamilies(`${type}\n${lines}`, {}, table);
    for (let scrape = 0; scrape < 2; scrape++) {
      assert.equal(
        read('# TYPE h histogram'),
        'gauge h_bucket_count 2; gauge h_bucket_sum 3; histogram h le[1] [1 1] sum 3',
      );
      assert.equal(
        read('# TYPE h_bucket histogram'),
        'gauge h_count 2; gauge h_sum 3; histogram h_bucket le[1] [1 1] sum 3',
      );
    }
  });

  test('a name that ends in _total, and bucket lines without _bucket', () => {
    f(
      `# TYPE vllm:iteration_tokens_total histogram
       vllm:iteration_tokens_total_bucket{le="1"} 1
       vllm:iteration_tokens_total_count 2
       vllm:iteration_tokens_total_sum 3`,
      'histogram vllm:iteration_tokens_total le[1] [1 1] sum 3',
    );
    // As the documentation of Triton shows them.
    h('h{le="1"} 1; h{le="+Inf"} 2; h_count 2; h_sum 3', 'histogram h le[1] [1 1] sum 3');
  });
});

describe('summaries', () => {
  test('count and sum; quantiles are gauges', () => {
    f('# TYPE s summary; s_count 2; s_sum 5', 'summary s count 2 sum 5');
    f(
      '# TYPE s summary; s{quantile="0.5"} 1; s{quantile="0.9"} NaN; s_sum 5; s_count 2',
      'gauge s{quantile="0.5"} 1; summary s count 2 sum 5; drop nan 1',
    );
    f(
      '# TYPE s summary; s_bucket{le="1"} 2; s_sum 5; s_count 2',
      'gauge s_bucket{le="1"} 2; summary s count 2 sum 5',
    );
  });

  test('that are none', () => {
    const bad = 'drop invalid_histogram 1; not whole: s';
    f('# TYPE s summary; s_count 2', bad);
    f('# TYPE s summary; s_sum 2', bad);
    f('# TYPE s summary; s_count 2; s_sum NaN', bad);
    f('# TYPE s summary; s_count 2.5; s_sum 1', bad);
    f('# TYPE s summary; s_count -1; s_sum 1', bad);
    f('# TYPE s summary; s{quantile="0.5"} 1', 'gauge s{quantile="0.5"} 1');
  });
});

describe('_created', () => {
  test('in the text format: a gauge with a TYPE of its own', () => {
    f(
      `# TYPE a_total counter
       a_total{b="1"} 1
       a_total{b="2"} 2
       # TYPE a_created gauge
       a_created{b="2"} 1767225600.25`,
      'counter a_total{b="1"} 1; counter a_total{b="2"} 2 created 1767225600.25',
    );
    f(
      '# TYPE h histogram; h_count{b="1"} 1; h_sum{b="1"} 1; # TYPE h_created gauge; h_created{b="1"} 5',
      'histogram h{b="1"} le[] [1] sum 1 created 5',
    );
    f('# TYPE s summary; s_count 1; s_sum 1; s_created 5', 'summary s count 1 sum 1 created 5');
  });

  test('in OpenMetrics: within the family', () => {
    om('# TYPE a counter; a_total 1; a_created 5', 'counter a_total 1 created 5');
    om('# TYPE a counter; a_created 5; a_total 1', 'counter a_total 1 created 5');
  });

  test('of nothing on the page, or no moment', () => {
    f('# TYPE a counter; a{b="1"} 1; a_created{b="2"} 5', 'counter a{b="1"} 1');
    f('# TYPE a counter; a 1; a_created NaN', 'counter a 1');
    f('# TYPE a counter; a 1; a_created -1', 'counter a 1');
    f('# TYPE a counter; a 1; a_created 253402300799', 'counter a 1 created 253402300799');
    f('# TYPE a counter; a 1; a_created 253402300800', 'counter a 1');
    f('# TYPE a gauge; a 1; a_created 5; b_created 6', 'gauge a 1; gauge a_created 5; gauge b_created 6');
  });

  test('whole milliseconds, rounded down: never later than it was', () => {
    f('# TYPE a counter; a 1; a_created 1.0019', 'counter a 1 created 1.001');
  });
});

describe('process_start_time_seconds', () => {
  const START = 'process_start_time_seconds';

  test('once, without labels', () => {
    f(`${START} 1767225600.2504`, `gauge ${START} 1767225600.2504; start 1767225600.25`);
    f(`# TYPE ${START} gauge; ${START} 1.7e+09`, `gauge ${START} 1700000000; start 1700000000`);
  });

  test('in any other form it says nothing of the page', () => {
    f(`${START}{pid="1"} 5`, `gauge ${START}{pid="1"} 5`);
    f(`${START} 5; ${START}{pid="1"} 5`, `gauge ${START} 5; gauge ${START}{pid="1"} 5`);
    f(`${START} 5; ${START} 6`, `gauge ${START} 5; drop duplicate 1`);
    f(`${START} 0`, `gauge ${START} 0`);
    f(`${START} -5`, `gauge ${START} -5`);
    f(`${START} 253402300799`, `gauge ${START} 253402300799; start 253402300799`);
    f(`${START} 253402300800`, `gauge ${START} 253402300800`); // past the year 9999
    f(`${START} NaN`, 'drop nan 1');
    f(`${START} +Inf`, 'drop nan 1');
  });
});

describe('families that are not whole', () => {
  test('are named as the readings name them', () => {
    f(
      '# TYPE h histogram; h_bucket{le="1} 1; h_count 2; h_sum 3',
      'histogram h le[] [2] sum 3; not whole: h',
    );
    f('# TYPE a_total counter; a_total{b="1"} x; a_total 1', 'counter a_total 1; not whole: a_total');
    om('# TYPE a counter; a_total{b="1"} x; a_total 1', 'counter a_total 1; not whole: a');
    om('# TYPE v:a counter; v_a_total{b="1"} x; v_a_total 1', 'counter v:a_total 1; not whole: v:a');
    f('a_tot x; a_total 1', 'counter a_total 1; not whole: a_tot', { a_total: 'counter' });
    f('# TYPE a_total countre; a_total 1', 'gauge a_total 1; not whole: a_total');
  });

  test('a name cut short: also the family that the last comment named', () => {
    f('# TYPE a_total counter; a_t; a_total 1', 'counter a_total 1; not whole: a_t,a_total');
    f('# TYPE a counter; a 1; }; b 1', 'gauge b 1; counter a 1; not whole: a');
  });

  test('all, if it cannot be told', () => {
    f('a 1; }', 'gauge a 1; not whole: *');
    const table = createSeriesTable();
    const cut = groupFamilies(pageOf('a 1\nb 2', table, false), table, new Map());
    assert.deepEqual([...cut.notWhole].sort(), [EVERY_FAMILY, 'b']);
  });
});

describe('metadata', () => {
  test('travels with the reading', () => {
    const table = createSeriesTable();
    const page = pageOf(
      '# TYPE a counter\n# HELP a A thing.\n# UNIT a seconds\na_total 1\n' +
        '# HELP h H\n# TYPE h histogram\nh_count 1\nh_sum 1\n# HELP g G\ng 1\n# EOF\n',
      table,
    );
    const { cumulative, gauges } = groupFamilies(page, table, new Map());
    assert.deepEqual(
      [...cumulative, ...gauges].map(({ metadata }) => metadata),
      [
        { type: 'counter', help: 'A thing.', unit: 'seconds' },
        { type: 'histogram', help: 'H', unit: '' },
        { type: undefined, help: 'G', unit: '' },
      ],
    );
  });
});

describe('the colons that the Python client loses in OpenMetrics (prometheus/client_python#1177)', () => {
  test('are put back', () => {
    om('# TYPE v:a counter; v_a_total 1; v_a_created 5', 'counter v:a_total 1 created 5');
    om('# TYPE v:a gauge; v_a{b="1"} 1', 'gauge v:a{b="1"} 1');
    om('# TYPE v:a:b info; v_a_b_info{c="1"} 1', 'gauge v:a:b_info{c="1"} 1');
    om(
      '# TYPE v:t_total histogram; v_t_total_count 1; v_t_total_sum 1',
      'histogram v:t_total le[] [1] sum 1',
    );
  });

  test('but not where an underscored family stands beside it, nor in the text format', () => {
    om('# TYPE v:a gauge; # TYPE v_a gauge; v_a 1; v:a 2', 'gauge v_a 1; gauge v:a 2');
    f('# TYPE v:a gauge; v_a 1', 'gauge v_a 1');
  });
});
