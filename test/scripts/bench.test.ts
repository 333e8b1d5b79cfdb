import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { reportBuilds } from '../../scripts/bench/builds.js';
import { findMedian, formatTable } from '../../scripts/bench/numbers.js';
import { parseBenchOptions } from '../../scripts/bench/options.js';
import { findBuild } from '../../scripts/bench/other-build.js';
import { reportTraffic } from '../../scripts/bench/report-traffic.js';
import { runBench } from '../../scripts/bench/run-bench.js';
import type { BenchSite } from '../../scripts/bench/server.js';
import { measureStarts, reportStarts } from '../../scripts/bench/start.js';
import type { TrafficMeasure } from '../../scripts/bench/traffic.js';
import { adminUrl } from '../support/postgres.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';

async function withServer(redis: 'with' | 'without', work: (server: BenchSite) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-bench-test-'));
  const started = redis === 'with' ? await startTestRedis() : undefined;
  const url = (database: string): string => Object.assign(new URL(adminUrl()), { pathname: `/${database}` }).href;
  try {
    await work({ url, folder, redisUrl: started?.url });
  } finally {
    await started?.remove();
    await rm(folder, { recursive: true });
  }
}

const small = (...flags: readonly string[]): ReturnType<typeof parseBenchOptions> =>
  parseBenchOptions(['--orgs', '1000', '--runs', '1', '--sample', '60', '--batch-size', '100', ...flags]);

/** Only the comparison counts batches, each of which costs. */
const ONE_BATCH = ['--batch-size', '2000'];

describe('runBench', () => {
  test('has every contender write the same rows and reports their ratios', async () => {
    const redis = redisAvailable() ? 'with' : 'without';
    await withServer(redis, async (server) => {
      const options = small('--undecidable-every', '100');
      const report = await runBench({ server, options, worker: 'inline', print: () => undefined });
      const text = report.join('\n');
      expect(text).toMatch(/^insert-select +1,000/mu);
      expect(text).toMatch(/^knex-loop +1,000/mu);
      expect(text).toMatch(/^job-per-org-postgres +60/mu);
      expect(text).toMatch(redis === 'with' ? /^job-per-org-redis +60/mu : /^job-per-org-redis: skipped/mu);
      expect(text).toMatch(/^product \/ insert-select: \d+\.\d\d \(goal/mu);
      // ten ranges of the plan, and its canary
      expect(text).toContain('product: 990 allotments, 10 quarantined, 11 batches');
      expect(text).toMatch(/^ {2}plan [\d.]+ m?s, before the apply and not part of it$/mu);
    });
  });

  test('reports the cost per org by size', async () => {
    await withServer('without', async (server) => {
      const options = small('--only', 'flat', '--sizes', '200,400', ...ONE_BATCH);
      const report = await runBench({ server, options, worker: 'inline', print: () => undefined });
      expect(report.join('\n')).toMatch(/^cost per org, dearest over cheapest size: \d/mu);
    });
  });
});

describe('the mode signups', () => {
  test('has the product sign orgs up with and without us, and loses none', async () => {
    await withServer('without', async (server) => {
      const options = small('--only', 'signups', '--orgs', '300', '--sample', '3');
      const text = (await runBench({ server, options, worker: 'inline', print: () => undefined })).join('\n');
      // a busy machine may stop for longer than a time-out between two statements of ours; nothing else ends one
      const count = String.raw`\d+/\d+/(0|\d+ \(57014\))`;
      expect(text).toMatch(/^on the unindexed 3 at once \(in \d/mu);
      for (const source of ['table', 'grouped', 'lateral', 'window']) {
        expect(text).toMatch(new RegExp(`^${source} +300 .* \\d+\\.\\d\\d$`, 'mu'));
        for (const condition of ['calm', 'locks', 'no scheduler', 'latching', 'serializable', 'new sessions'])
          expect(text).toMatch(new RegExp(`^${source}, ${condition} +\\d+ +(${count} +){3}.* +\\d+ +\\d+$`, 'mu'));
        expect(text).toMatch(new RegExp(`^sign-ups lost because of us on the ${source}: \\d`, 'mu'));
      }
      expect(text).toMatch(/^p99 of a sign-up on the table: \d+ ms \(goal: at most 5 ms\)/mu);
    });
  });
});

describe('the mode reconcile', () => {
  test('compares a night without changes with a bare full join, and finds nothing', async () => {
    await withServer('without', async (server) => {
      const options = small('--only', 'reconcile', ...ONE_BATCH);
      const text = (await runBench({ server, options, worker: 'inline', print: () => undefined })).join('\n');
      expect(text).toMatch(/^full comparison \/ bare full join: \d+\.\d\d \(goal: at most 1\.5\)/mu);
      expect(text).not.toContain('NOT a night without changes');
    });
  });
});

describe('the mode undo', () => {
  test('takes back what the rollout before it has written, and compares their times', async () => {
    await withServer('without', async (server) => {
      const options = small('--only', 'undo', ...ONE_BATCH);
      const text = (await runBench({ server, options, worker: 'inline', print: () => undefined })).join('\n');
      // one in 250,000 is undecidable: none here
      expect(text).toMatch(/^orgs undone: (999|1,000) of 1,000$/mu);
      expect(text).toMatch(/^undo \/ apply: \d+\.\d\d \(goal: at most 1\.5\)/mu);
    });
  });
});

describe('the mode feed', () => {
  test('reports how fast a thousand edits are followed, both ways', async () => {
    await withServer('without', async (server) => {
      const options = small('--only', 'feed', '--orgs', '2000', '--undecidable-every', '2000', ...ONE_BATCH);
      const text = (await runBench({ server, options, worker: 'inline', print: () => undefined })).join('\n');
      expect(text).toMatch(/^updates +2,000 +(999|1,000) /mu);
      expect(text).toMatch(/^triggers +2,000 +(999|1,000) /mu);
      expect(text).toMatch(/^1,000 edits followed, by triggers: \d/mu);
    });
  });
});

describe('parseBenchOptions', () => {
  test('compares every contender on two million orgs by default', () => {
    expect(parseBenchOptions([])).toMatchObject({
      mode: 'compare',
      orgs: 2_000_000,
      runs: 3,
      batchSize: 'auto',
      lanes: 2,
    });
    // an older build may know numbers only
    expect(parseBenchOptions(['--only', 'plan', '--before', 'HEAD~1'])).toMatchObject({ batchSize: 10_000 });
  });

  test.each([
    ['an unknown contender', ['--only', 'turbo']],
    ['a count that is none', ['--orgs', '1e']],
    ['an unknown flag', ['--fast']],
    ['a mode beside contenders', ['--only', 'flat,product']],
    ['two modes of one build', ['--only', 'reconcile,feed']],
    ['a mode that no other build can do in turn', ['--only', 'feed,meter', '--before', 'HEAD~1']],
  ])('rejects %s', (_what, args) => {
    expect(() => parseBenchOptions(args)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});

describe('findMedian', () => {
  test.each([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
  ])('of %j is %d', (values, median) => {
    expect(findMedian(values)).toBe(median);
  });
});

describe('formatTable', () => {
  test('aligns the first column left and the rest right', () => {
    expect(
      formatTable([
        ['a', 'bbb'],
        ['cc', 'd'],
      ]),
    ).toEqual(['a   bbb', 'cc    d']);
  });
});

describe('the mode start', () => {
  test('starts each command in turn, with a configuration that names a PostgreSQL', async () => {
    await withServer('without', async (server) => {
      const main = join(server.folder, 'main.mjs');
      // status fails unless it is given a configuration
      await writeFile(
        main,
        `process.exitCode = process.argv[2] === 'status' && process.argv[4] === undefined ? 1 : 0;`,
      );
      const options = small('--only', 'start', '--before', 'none');
      const printed: string[] = [];
      const measure = await measureStarts({ server, options, main, print: (line) => printed.push(line) });
      expect(printed).toEqual(['round 1 of 1']);
      expect([...measure.now.keys()]).toEqual(['--version', '--help', 'status']);
      expect(reportStarts(measure).join('\n')).toMatch(/^status +[\d.]+ m?s +\d+\.\d\d ×$/mu);
    });
  });

  test('fails when what is started fails', async () => {
    await withServer('without', async (server) => {
      const main = join(server.folder, 'main.mjs');
      await writeFile(main, 'process.exitCode = 3;');
      const options = small('--only', 'start', '--before', 'none');
      // nothing reads it, so no databases are made for it
      const question = { server, options, main, print: () => undefined, statusConfig: 'none.yaml' };
      await expect(measureStarts(question)).rejects.toThrow('ended with 3');
    });
  });

  test('shows beside each goal whether it is reached, and what was before', () => {
    const times = (version: number) =>
      new Map([
        ['--version', version],
        ['--help', 150],
        ['status', 350],
      ] as const);
    const text = reportStarts({ node: 50, now: times(151), before: { commit: 'abc', times: times(500) } }).join('\n');
    expect(text).toMatch(/^--version +500 ms +10\.00 × +151 ms +3\.02 ×$/mu);
    expect(text).toContain('--version / node -e 0: 3.02 (goal: at most 3) MISSED');
    expect(text).toContain('status / node -e 0: 7.00 (goal: at most 7) reached');
  });

  test('compares with the commit before by default', () => {
    expect(parseBenchOptions(['--only', 'start'])).toMatchObject({ mode: 'start', before: 'HEAD~1', runs: 20 });
    expect(parseBenchOptions(['--only', 'start', '--before', 'none']).before).toBe('none');
    expect(parseBenchOptions(['--only', 'plan'])).toMatchObject({ mode: 'plan', before: 'none' });
  });
});

describe('the mode traffic', () => {
  const measure = (contender: TrafficMeasure['contender'], load: TrafficMeasure['load'], beside: number) => ({
    ...{ contender, load, aloneMs: 1_000, ms: 2_500, before: { perSecond: 1_000, p99Ms: 4 } },
    ...{ beside: { perSecond: beside, p99Ms: 6 }, lanes: { mean: 0.25, why: 'probe 2.10' } },
  });

  test('shows what each job takes of the traffic, and why ours was slow', () => {
    const measures = [measure('product', '60 %', 980), measure('product', 'unlimited', 500)];
    const text = reportTraffic({ measures, looks: [3, 4, 5] }).join('\n');
    expect(text).toMatch(/^product, unlimited +1\.00 s +2\.50 s +2\.50 × +1,000 +500 +50\.0 % +1\.50 ×$/mu);
    expect(text).toContain('product, unlimited: 0.25 lanes on average, probe 2.10');
    expect(text).toContain('loss at 60 %: 2.00 % (goal: at most 3 %) reached');
    expect(text).toContain('loss, unlimited: 50.00 % (goal: at most 15 %) MISSED');
    expect(text).toContain('one look at the checks: 4 ms (goal: at most 5 ms) reached');
  });
});

describe('two builds', () => {
  const measure = (batch: number, others: number) => ({ batch, plan: others, migrate: others, verification: others });

  test('are compared round by round, not by their medians', () => {
    const rounds = [
      { before: measure(100, 800), now: measure(104, 1_600) },
      { before: measure(10, 800), now: measure(10, 1_600) },
      { before: measure(50, 800), now: measure(80, 1_600) },
    ];
    const text = reportBuilds(rounds, 'abc').join('\n');
    expect(text).toMatch(/^batch, p50 +50 ms +80 ms +1\.04$/mu);
    expect(text).toContain('batch, p50: now / before: 1.04 (goal: at most 1.05) reached');
    expect(text).toContain('verification: now / before: 2.00 (goal: at most 1.05) MISSED');
  });

  test('are shown by what they did, the statement that both have in common without a goal', () => {
    const night = (bare: number, detection: number) => ({ bare, detection });
    const text = reportBuilds([{ before: night(200, 250), now: night(210, 240) }], 'abc').join('\n');
    expect(text).toMatch(/^bare full join +200 ms +210 ms +1\.05$/mu);
    expect(text).toContain('night without changes: now / before: 0.96 (goal: at most 1.05) reached');
    expect(text).not.toMatch(/migrate|bare full join: now/u);
  });

  test('compare a night and the feed in one run, on fewer orgs than a plan needs', () => {
    const given = (only: string) => parseBenchOptions(['--only', only, '--before', 'HEAD~1']);
    expect(given('reconcile,feed')).toMatchObject({ compared: ['reconcile', 'feed'], orgs: 200_000 });
    expect(given('feed,plan')).toMatchObject({ compared: ['plan', 'feed'], orgs: 2_000_000 });
    expect(given('start')).toMatchObject({ compared: [], before: 'HEAD~1' });
    expect(parseBenchOptions(['--only', 'feed'])).toMatchObject({ compared: [], orgs: 10_000_000 });
  });

  test('say which option is wrong when there is no such commit', async () => {
    await withServer('without', async ({ folder }) => {
      await expect(findBuild(folder, 'no-such-commit')).rejects.toThrow('ended with');
      expect(await findBuild(folder, '/some/build')).toBe('/some/build');
    });
  });
});
