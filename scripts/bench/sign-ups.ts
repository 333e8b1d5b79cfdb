// What a sign-up costs the product after the cut-over: its own transaction with our call in it, in turn with the same
// one without. On a table and on views over normalised tables; then how many are lost, under the time-outs that
// products set and whatever goes on around them.
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { systemClock } from '../../src/kernel/clock.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { type CellDatabase, createCellDatabase } from '../../src/stores/cell/cell-database.js';
import { letOwnerReadSql } from '../../src/stores/cell/setup/roles.js';
import { DATA_CENTER, RATE_CARD } from './bed.js';
import { recreateDatabase, withClient } from './database.js';
import { findMedian, formatCount, formatTable } from './numbers.js';
import type { BenchOptions } from './options.js';
import { PRODUCT_VIEWS, productTables } from './product-views.js';
import { formatGoal } from './report.js';
import type { BenchRun } from './run-bench.js';
import {
  isolationOf,
  SIGN_UP_CONDITIONS,
  type SignUpCondition,
  type SignUpPlace,
  startCondition,
} from './sign-up-conditions.js';

export const SIGN_UP_SOURCES = ['table', 'grouped', 'lateral', 'window'] as const;
type SignUpSource = (typeof SIGN_UP_SOURCES)[number];
const TIMEOUTS_MS = [50, 100, 300] as const;
/** Sign-ups at once while they are counted. */
const CONNECTIONS = 8;

/** Sign-ups under one time-out in one condition, a third of the sample: as many without us as with us. */
interface SignUpCounts {
  readonly timeoutMs: number;
  /** That failed. */
  readonly bare: number;
  /** That failed in our call or after it; where the insert itself fails, it would have failed without us. */
  readonly called: number;
  /** That committed with no record of theirs: a sweep or a night finds them. */
  readonly unrecorded: number;
  /** SQLSTATEs of `called`. */
  readonly codes: readonly string[];
}

interface ConditionMeasure {
  readonly condition: SignUpCondition;
  readonly counts: readonly SignUpCounts[];
  /** Milliseconds of whole transactions that committed. */
  readonly bare: readonly number[];
  readonly called: readonly number[];
  /** What was recorded and not written when the last one had committed. */
  readonly waiting: number;
}

export interface SignUpMeasure {
  readonly source: SignUpSource;
  readonly orgs: number;
  /** Milliseconds of whole transactions, in turn, one at a time. */
  readonly bare: readonly number[];
  readonly called: readonly number[];
  readonly conditions: readonly ConditionMeasure[];
  /** Recorded on credits, and neither written nor waiting to be written: a sweep or a night writes them. */
  readonly left: number;
}

export async function measureSignUps({ server, options, print }: BenchRun): Promise<readonly SignUpMeasure[]> {
  const measures: SignUpMeasure[] = [];
  for (const source of SIGN_UP_SOURCES) {
    const database = `bench_sign_ups_${source}`;
    print(`${source}: loading ${formatCount(options.orgs)} orgs`);
    await recreateDatabase(server.url('postgres'), database);
    const url = server.url(database);
    const cell = createCellDatabase(
      openPostgres({ url, applicationName: 'credit-rollout bench', max: 2 }),
      DATA_CENTER.id,
    );
    try {
      await withClient(url, (client) => createSource(client, source, options.orgs));
      await initSource(cell, url);
      measures.push(await measureSource({ url, cell, source, options, print }));
    } finally {
      await cell.close();
    }
  }
  return measures;
}

async function createSource(client: pg.Client, source: SignUpSource, orgs: number): Promise<void> {
  if (source === 'table') {
    await client.query(`create table public.orgs (org_id bigint primary key, edition text, paid boolean, agents bigint,
      light_agents bigint, additional_credits bigint, created_at timestamptz);
      insert into public.orgs select n, 'standard', true, 5, 0, 0, '2024-01-01' from generate_series(1, ${orgs}) n;
      analyze public.orgs`);
  } else {
    await client.query(productTables(orgs));
    await client.query(`create view public.orgs as ${PRODUCT_VIEWS[source]}`);
  }
  await client.query(letOwnerReadSql(DATA_CENTER.id, 'public.orgs'));
}

/** As after a cut-over: latched, and single writes are allowed. */
async function initSource(cell: CellDatabase, url: string): Promise<void> {
  const card = parseRateCard(await readFile(RATE_CARD, 'utf8'));
  const dataCenter = { ...DATA_CENTER, database: { text: url }, source: 'public.orgs' };
  await initCell(cell, { dataCenter, card, lapseGraceDays: 30 });
  await withClient(url, (client) =>
    client.query(`set session_replication_role = replica;
      update credit_rollout.gate set configured_at = '2026-01-01', configured_local = 'then', armed_at = '2025-12-01',
        effective_at = '2026-01-01', latched_at = '2026-01-01';
      update credit_rollout.fence set single_writes = true,
        timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`),
  );
}

interface SourceBench extends SignUpPlace {
  readonly source: SignUpSource;
  readonly options: BenchOptions;
  readonly print: BenchRun['print'];
}

async function measureSource(bench: SourceBench): Promise<SignUpMeasure> {
  const { url, cell, source, options, print } = bench;
  const ids = countFrom(options.orgs + 1);
  const { bare, called } = await withClient(url, (client) => measureInTurn(client, bench, ids));
  print(`${source}: p99 ${findP99(bare).toFixed(1)} ms without us, ${findP99(called).toFixed(1)} with`);
  const conditions: ConditionMeasure[] = [];
  for (const condition of SIGN_UP_CONDITIONS) {
    const measure = await measureCondition(bench, condition, ids);
    conditions.push(measure);
    print(`${source}, ${condition}: ${formatCounts(measure)}`);
  }
  await startCondition('calm', bench).then((end) => end());
  const until = performance.now() + WRITE_FOR_MS;
  const context = { cells: { get: () => cell } };
  while ((await countPending(url)) > 0 && performance.now() < until) {
    const { restMs } = await writeSignUps(context, DATA_CENTER.id);
    await systemClock.sleep(restMs);
  }
  return { source, orgs: options.orgs, bare, called, conditions, left: await countLeft(url) };
}

/** Long enough to write what waits, but where the view reads every org for each. */
const WRITE_FOR_MS = 20_000;

async function measureInTurn(
  client: pg.Client,
  { source, options }: SourceBench,
  ids: () => number,
): Promise<{ readonly bare: readonly number[]; readonly called: readonly number[] }> {
  const signUp = async (how: SignUp['how']): Promise<number> =>
    (await signUpOnce(client, { source, how, id: ids(), timeoutMs: 0, isolation: '' })).ms;
  const bare: number[] = [];
  const called: number[] = [];
  for (let n = 0; n < options.sample; n += 1) {
    bare.push(await signUp('bare'));
    called.push(await signUp('called'));
  }
  return { bare, called };
}

const measureCondition = (
  bench: SourceBench,
  condition: SignUpCondition,
  ids: () => number,
): Promise<ConditionMeasure> =>
  withClients(bench.url, Math.min(CONNECTIONS, bench.options.sample), (clients) =>
    measureOn(clients, bench, condition, ids),
  );

function withClients<T>(url: string, count: number, work: (clients: readonly pg.Client[]) => Promise<T>): Promise<T> {
  const open = (opened: readonly pg.Client[]): Promise<T> =>
    opened.length === count ? work(opened) : withClient(url, (client) => open([...opened, client]));
  return open([]);
}

async function measureOn(
  clients: readonly pg.Client[],
  bench: SourceBench,
  condition: SignUpCondition,
  ids: () => number,
): Promise<ConditionMeasure> {
  const times = { bare: [] as number[], called: [] as number[] };
  const counts: SignUpCounts[] = [];
  const { source } = bench;
  const end = await startCondition(condition, bench);
  // what a first call of a session reads of the catalogs is another matter
  for (const client of clients)
    await signUpOnce(client, { source, how: 'called', id: ids(), timeoutMs: 0, isolation: '' });
  for (const timeoutMs of TIMEOUTS_MS) {
    const failed = { bare: 0, called: 0, codes: [] as string[] };
    const committed: number[] = [];
    let left = Math.ceil(bench.options.sample / TIMEOUTS_MS.length);
    const signUpInTurn = async (client: pg.Client): Promise<void> => {
      while (left > 0) {
        left -= 1;
        for (const how of ['bare', 'called'] as const) {
          const id = ids();
          const isolation = isolationOf(condition);
          const { ms, failedAt, code } = await signUpOnce(client, { source, how, id, timeoutMs, isolation });
          if (failedAt === undefined) times[how].push(ms);
          else if (how === 'bare' || failedAt === 'after') failed[how] += 1;
          if (failedAt === undefined && how === 'called') committed.push(id);
          if (failedAt === 'after' && how === 'called') failed.codes.push(code ?? 'none');
        }
      }
    };
    await Promise.all(clients.map(signUpInTurn));
    counts.push({ timeoutMs, ...failed, unrecorded: await countUnrecorded(bench.url, committed) });
  }
  await end();
  return { condition, counts, ...times, waiting: await countPending(bench.url) };
}

interface SignUp {
  readonly source: SignUpSource;
  readonly how: 'bare' | 'called';
  readonly id: number;
  readonly timeoutMs: number;
  readonly isolation: string;
}

/** `failedAt`: undefined when it committed; `after`: the insert had succeeded. */
async function signUpOnce(
  client: pg.Client,
  { source, how, id, timeoutMs, isolation }: SignUp,
): Promise<{ readonly ms: number; readonly failedAt?: 'insert' | 'after'; readonly code?: string | undefined }> {
  let failedAt: 'insert' | 'after' = 'insert';
  const began = performance.now();
  try {
    await client.query(`begin ${isolation}; set local statement_timeout = ${timeoutMs}`);
    await client.query(insertOf(source, id));
    failedAt = 'after';
    if (how === 'called') {
      const { rows } = await client.query(`select credit_rollout.onboard_org(${id}) as model`);
      if (rows[0]?.model === null) throw new Error('onboard_org answered nothing');
    }
    await client.query('commit');
    return { ms: performance.now() - began };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    await client.query('rollback');
    return { ms: performance.now() - began, failedAt, code: error.code };
  }
}

const countFrom = (first: number): (() => number) => {
  let next = first;
  return () => next++;
};

const countRows = (url: string, sql: string, values: readonly unknown[] = []): Promise<number> =>
  withClient(url, async (client) => Number((await client.query(sql, [...values])).rows[0]?.n));

const countPending = (url: string): Promise<number> =>
  countRows(url, 'select count(*) as n from credit_rollout.pending_sign_ups');

const countUnrecorded = (url: string, ids: readonly number[]): Promise<number> =>
  countRows(
    url,
    `select count(*) as n from unnest($1::bigint[]) i
     where not exists (select from credit_rollout.sign_ups s where s.org_id = i)`,
    [ids],
  );

const countLeft = (url: string): Promise<number> =>
  countRows(
    url,
    `select count(*) as n from credit_rollout.sign_ups s
     where s.model = 'credits' and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
       and not exists (select from credit_rollout.pending_sign_ups p where p.org_id = s.org_id)`,
  );

const insertOf = (source: SignUpSource, id: number): string =>
  source === 'table'
    ? `insert into public.orgs values (${id}, 'standard', true, 3, 0, 0, now())`
    : `with a as (insert into accounts values (${id}, now()))
       insert into subscriptions values (${id}, 'standard', 'active')`;

const findP99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN;

const formatCounts = ({ counts }: Pick<ConditionMeasure, 'counts'>): string =>
  counts
    .map(({ bare, called, codes }) => `${bare}/${called}${called > 0 ? ` (${[...new Set(codes)].join(' ')})` : ''}`)
    .join(' ');

const ms = (value: number): string => `${value.toFixed(1)} ms`;
const percentiles = (values: readonly number[]): string => `${ms(findMedian(values))} / ${ms(findP99(values))}`;
const sumOf = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);

/** What it costs, and what was lost; each with its goals below it. */
export function reportSignUps(measures: readonly SignUpMeasure[]): readonly string[] {
  const costs = measures.map(({ source, orgs, bare, called }) => [
    source,
    formatCount(orgs),
    percentiles(bare),
    percentiles(called),
    (findMedian(called) / findMedian(bare)).toFixed(2),
    (findP99(called) / findP99(bare)).toFixed(2),
  ]);
  const losses = measures.flatMap(({ source, conditions }) =>
    conditions.map(({ condition, counts, bare, called, waiting }) => [
      `${source}, ${condition}`,
      formatCounts({ counts }),
      percentiles(bare),
      percentiles(called),
      formatCount(waiting),
      formatCount(sumOf(counts.map(({ unrecorded }) => unrecorded))),
    ]),
  );
  const failures = `failed at ${TIMEOUTS_MS.join(', ')} ms (without/with)`;
  return [
    ...formatTable([['source', 'orgs', 'insert p50 / p99', 'with us p50 / p99', 'p50 ratio', 'p99 ratio'], ...costs]),
    '',
    ...formatTable([
      ['source, beside', failures, 'insert p50 / p99', 'with us p50 / p99', 'waiting', 'to the sweep'],
      ...losses,
    ]),
    '',
    ...measures.map(({ source, left }) => `recorded on the ${source}, and left to the sweep: ${formatCount(left)}`),
    '',
    ...measures.map(({ source, called }) =>
      formatGoal({
        what: `p99 of a sign-up on the ${source}`,
        value: findP99(called),
        limit: source === 'table' ? 5 : 20,
        side: 'at most',
        unit: ' ms',
      }),
    ),
    ...measures.map(({ source, conditions }) =>
      formatGoal({
        what: `sign-ups lost because of us on the ${source}`,
        value: sumOf(conditions.flatMap(({ counts }) => counts.map(({ called }) => called))),
        limit: 0,
        side: 'at most',
        unit: '',
      }),
    ),
  ];
}
