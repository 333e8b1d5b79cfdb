// What a sign-up costs the product after the cut-over: its own transaction with our call in it, in turn with the same
// one without. On a table and on views over normalised tables; then how many are lost, under the time-outs that
// products set and whatever goes on around them.
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { systemClock } from '../../src/kernel/clock.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { type CellDatabase, createCellDatabase } from '../../src/stores/cell/cell-database.js';
import { letOwnerReadSql } from '../../src/stores/cell/setup/roles.js';
import { DATA_CENTER, RATE_CARD } from './bed.js';
import { recreateDatabase, withClient } from './database.js';
import { formatCount } from './numbers.js';
import { PRODUCT_VIEWS, productTables, UNINDEXED_VIEW } from './product-views.js';
import { findP99, formatCrowd, formatLosses } from './report-sign-ups.js';
import type { BenchRun } from './run-bench.js';
import { SIGN_UP_CONDITIONS, type SignUpCondition, type SignUpPlace, startCondition } from './sign-up-conditions.js';
import { CROWDS, type CrowdMeasure, measureCrowd } from './sign-up-crowd.js';
import { type ConditionMeasure, countLeft, countPending, measureCondition } from './sign-up-losses.js';
import { measureFirst, measureInTurn, SIGN_UP_SOURCES, type SignUpSource, type SignUpTimes } from './sign-up-once.js';

export interface SignUpMeasure {
  readonly source: SignUpSource;
  readonly orgs: number;
  /** In turn, one at a time: on one connection, and each on a new one. */
  readonly inTurn: SignUpTimes;
  readonly first: SignUpTimes;
  readonly conditions: readonly ConditionMeasure[];
  /** At the same moment, beside a worker. */
  readonly crowds: readonly CrowdMeasure[];
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
    const view = source === 'unindexed' ? UNINDEXED_VIEW : PRODUCT_VIEWS[source];
    await client.query(`create view public.orgs as ${view}`);
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

interface SourceBench extends SignUpPlace, Pick<BenchRun, 'options' | 'print'> {
  readonly source: SignUpSource;
}

/** One after the other: more of them do not say more. */
const MOST_IN_TURN = 3_000;
/** A new session for each takes its time. */
const MOST_FIRST = 200;
/** Long enough to write what waits, but where the view reads every org for each. */
const WRITE_FOR_MS = 20_000;
/** From this sample on the large crowd comes too. */
const CROWD_SAMPLE = 1_000;

async function measureSource(bench: SourceBench): Promise<SignUpMeasure> {
  const { url, cell, source, options, print } = bench;
  const ids = countFrom(options.orgs + 1);
  const inTurn = await measureInTurn(url, { source, count: Math.min(MOST_IN_TURN, options.sample), ids });
  print(`${source}: p99 ${findP99(inTurn.bare).toFixed(1)} ms without us, ${findP99(inTurn.called).toFixed(1)} with`);
  const first = await measureFirst(url, { source, count: Math.min(MOST_FIRST, options.sample), ids });
  const conditions: ConditionMeasure[] = [];
  for (const condition of conditionsOf(source)) {
    const measure = await measureCondition({ url, cell, source, condition, sample: options.sample, ids });
    conditions.push(measure);
    print(`${source}, ${condition}: ${formatLosses(measure)}`);
  }
  await startCondition('calm', bench).then((end) => end());
  const until = performance.now() + WRITE_FOR_MS;
  const context = { cells: { get: () => cell } };
  while ((await countPending(url)) > 0 && performance.now() < until) {
    const { restMs } = await writeSignUps(context, DATA_CENTER.id);
    await systemClock.sleep(restMs);
  }
  const left = await countLeft(url);
  const crowds: CrowdMeasure[] = [];
  for (const orgs of CROWDS.filter((_, at) => at === 0 || options.sample >= CROWD_SAMPLE)) {
    const crowd = await measureCrowd({ url, cell, source, orgs: Math.min(orgs, options.sample), ids });
    crowds.push(crowd);
    print(`${source}: ${formatCrowd(crowd)}`);
  }
  return { source, orgs: options.orgs, inTurn, first, conditions, crowds, left };
}

/** A sign-up reads no source, whatever it is: of a view more the rest is the same. */
const conditionsOf = (source: SignUpSource): readonly SignUpCondition[] =>
  source === 'unindexed' ? ['calm'] : SIGN_UP_CONDITIONS;

const countFrom = (first: number): (() => number) => {
  let next = first;
  return () => next++;
};
