// What a sign-up costs the product after the cut-over: its own transaction with our call in it, in turn with the same
// one without. On a table and on views over normalised tables, and under the time-outs that products set.
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
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

export const SIGN_UP_SOURCES = ['table', 'grouped', 'lateral', 'window'] as const;
type SignUpSource = (typeof SIGN_UP_SOURCES)[number];
const TIMEOUTS_MS = [50, 100, 300] as const;

export interface SignUpMeasure {
  readonly source: SignUpSource;
  readonly orgs: number;
  /** Milliseconds of whole transactions, in turn. */
  readonly bare: readonly number[];
  readonly called: readonly number[];
  /** By time-out: sign-ups that failed, of as many. */
  readonly failed: readonly { readonly timeoutMs: number; readonly bare: number; readonly called: number }[];
  /** What was recorded and not written when the last one had committed, and what a worker left. */
  readonly waiting: number;
  readonly lost: number;
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
      const measure = await withClient(url, (client) => measureSource(client, cell, source, options));
      measures.push(measure);
      print(
        `${source}: p99 ${findP99(measure.bare).toFixed(1)} ms without us, ${findP99(measure.called).toFixed(1)} with`,
      );
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

async function measureSource(
  client: pg.Client,
  cell: CellDatabase,
  source: SignUpSource,
  { orgs, sample }: BenchOptions,
): Promise<SignUpMeasure> {
  let next = orgs + 1;
  const signUp = async (how: 'bare' | 'called', timeoutMs = 0): Promise<number | undefined> => {
    const id = next++;
    const began = performance.now();
    try {
      await client.query(`begin; set local statement_timeout = ${timeoutMs}`);
      await client.query(insertOf(source, id));
      if (how === 'called') await client.query(`select credit_rollout.onboard_org(${id})`);
      await client.query('commit');
      return performance.now() - began;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      await client.query('rollback');
      return undefined;
    }
  };
  const bare: number[] = [];
  const called: number[] = [];
  for (let n = 0; n < sample; n += 1) {
    bare.push((await signUp('bare')) ?? Number.NaN);
    called.push((await signUp('called')) ?? Number.NaN);
  }
  const failed: SignUpMeasure['failed'][number][] = [];
  for (const timeoutMs of TIMEOUTS_MS) {
    const counts = { timeoutMs, bare: 0, called: 0 };
    for (let n = 0; n < sample; n += 1) {
      if ((await signUp('bare', timeoutMs)) === undefined) counts.bare += 1;
      if ((await signUp('called', timeoutMs)) === undefined) counts.called += 1;
    }
    failed.push(counts);
  }
  const countPending = async (): Promise<number> =>
    Number((await client.query('select count(*) as n from credit_rollout.pending_sign_ups')).rows[0]?.n);
  const waiting = await countPending();
  // a second of a worker for each hundred at most: a window over every org is read for each of them
  const context = { cells: { get: () => cell } };
  const until = performance.now() + WRITE_FOR_MS;
  while ((await countPending()) > 0 && performance.now() < until) await writeSignUps(context, DATA_CENTER.id);
  const { rows } = await client.query(`select count(*) as n from credit_rollout.sign_ups s
    where s.model = 'credits' and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
      and not exists (select from credit_rollout.pending_sign_ups p where p.org_id = s.org_id)`);
  return { source, orgs, bare, called, failed, waiting, lost: Number(rows[0]?.n) };
}

const WRITE_FOR_MS = 20_000;

const insertOf = (source: SignUpSource, id: number): string =>
  source === 'table'
    ? `insert into public.orgs values (${id}, 'standard', true, 3, 0, 0, now())`
    : `with a as (insert into accounts values (${id}, now()))
       insert into subscriptions values (${id}, 'standard', 'active')`;

const findP99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN;

/** A table, and the goals beside it. */
export function reportSignUps(measures: readonly SignUpMeasure[]): readonly string[] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const rows = measures.map(({ source, orgs, bare, called, failed, waiting, lost }) => [
    source,
    formatCount(orgs),
    `${ms(findMedian(bare))} / ${ms(findP99(bare))}`,
    `${ms(findMedian(called))} / ${ms(findP99(called))}`,
    failed.map((one) => `${one.bare}/${one.called}`).join(' '),
    formatCount(waiting),
    formatCount(lost),
  ]);
  const failures = `failed at ${TIMEOUTS_MS.join(', ')} ms (without/with)`;
  return [
    ...formatTable([
      ['source', 'orgs', 'insert p50 / p99', 'with us p50 / p99', failures, 'recorded', 'lost'],
      ...rows,
    ]),
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
  ];
}
