// A whole rollout in a suite: control, cells, a queue, and workers and schedulers in this process or in ones that can
// be killed.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startScheduler } from '../../jobs/processes/scheduler.js';
import { type RunningProcess, startWorker } from '../../jobs/processes/worker.js';
import { connectQueue, initQueue, type QueueConnection } from '../../jobs/queue/connection.js';
import { parseRolloutConfig } from '../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../src/domain/config/rollout-config.js';
import type { PlanReport } from '../../src/domain/plan/plan-report.js';
import type { RateCard } from '../../src/domain/rate-card/rate-card.js';
import type { Stage } from '../../src/domain/rollout/stage.js';
import type { EngineContext } from '../../src/engine/context.js';
import { planDataCenter } from '../../src/engine/plan/plan-data-center.js';
import { requestApply } from '../../src/engine/rollout/request-rollout.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { savePolicy } from '../../src/engine/setup/init-control.js';
import { shareSealKey } from '../../src/engine/setup/share-seal-key.js';
import { serveOpenWork } from '../../src/engine/worker/serve-cell.js';
import { type Clock, systemClock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createControlDatabase, migrateControl } from '../../src/stores/control/control-database.js';
import { saveEmbedded } from '../../src/stores/control/person.js';
import { grantControlRoles } from '../../src/stores/control/roles.js';
import { sampleCard } from '../domain/rate-card/sample-card.js';
import { createTestCell, type TestCell, type TestCellOptions } from './cell.js';
import type { FakeClock } from './faketime.js';
import { expectInvariants, type Sql } from './invariants.js';
import { openContext } from './open-context.js';
import { createTestDatabase, ensureTemplate, type TestDatabase } from './postgres.js';
import { silentLog } from './silent.js';
import { type FleetProcess, spawnFleetProcess } from './spawn-process.js';
import { waitFor } from './wait.js';

export interface FleetOptions {
  /** One cell each, in rollout order; 1 when left out. */
  readonly cells?: readonly TestCellOptions[];
  /** Orgs of every cell that names none; 1,000 when left out. */
  readonly orgs?: number;
  /** `none`: nothing wakes and nobody serves but `drive`. */
  readonly queue?: 'none' | 'postgres' | { readonly redis: string };
  /** YAML of the section `rollout`. */
  readonly rollout?: string;
  /** Other sections, whole lines of YAML. */
  readonly sections?: string;
  readonly card?: RateCard;
  /** What processes connect to instead of the servers' own URLs, such as a pooler's. */
  readonly through?: (url: string) => string;
  /**
   * Where control, queue and every cell that names no other server lie, by its admin URL, instead of the shared one.
   */
  readonly server?: string | undefined;
}

export interface Fleet {
  readonly cells: readonly TestCell[];
  readonly config: RolloutConfig;
  /** For engine verbs; wakes the queue where there is one. */
  readonly engine: EngineContext;
  readonly controlUrl: string;
  readonly queueUrl: string | undefined;
  readonly control: Sql;
  /** The n-th cell. */
  cell(n: number): TestCell;
  apply(...cells: readonly TestCell[]): Promise<void>;
  /** The dry run that keeps nothing. */
  whatIf(cell: TestCell): Promise<PlanReport>;
  /** The dry run that is kept and registered. */
  plan(cell: TestCell): Promise<PlanReport>;
  applyPlan(cell: TestCell, planId: string): Promise<void>;
  /** The stage of every data center, in order. */
  stages(): Promise<readonly Stage[]>;
  /** Ticks and serves by hand until every data center rests or nothing moves any more; needs no queue. */
  drive(): Promise<readonly Stage[]>;
  serve(): Promise<unknown>;
  /** Ticks by hand until something is so; somebody else serves. */
  tickUntil(what: string, so: () => Promise<boolean>): Promise<void>;
  waitForStages(want: (stages: readonly Stage[]) => boolean, forMs?: number): Promise<readonly Stage[]>;
  /** `withoutControl`: it gets a control URL that leads nowhere. */
  startWorker(options?: {
    concurrency?: number;
    pollMs?: number;
    log?: Log;
    withoutControl?: boolean;
    clock?: Clock;
  }): RunningProcess;
  startScheduler(options?: { log?: Log; clock?: Clock }): RunningProcess;
  /** A process of its own, to be killed or stopped. */
  spawn(role: 'worker' | 'scheduler', options?: SpawnOptions): Promise<FleetProcess>;
  expectInvariants(except?: readonly string[]): Promise<void>;
  drop(): Promise<void>;
}

export interface SpawnOptions {
  readonly concurrency?: number;
  /** Of a worker, as `startWorker` has it. */
  readonly pollMs?: number;
  /** What the process takes for the machine's clock. */
  readonly clock?: FakeClock;
}

const MAX_ROUNDS = 5_000;
const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';
export const allDone = (stages: readonly Stage[]): boolean => stages.every((stage) => stage === 'done');

/** Makes the databases, runs `init` on all of them, starts nothing. Call drop() in afterEach or afterAll. */
export async function createFleet(options: FleetOptions = {}): Promise<Fleet> {
  const {
    cells: specs = [{}],
    orgs = 1_000,
    queue = 'none',
    card = sampleCard,
    through = (url: string) => url,
    server,
  } = options;
  // a Redis lives longer than a fleet, and its queues have the names of data centers
  const own = (): TestCellOptions => (typeof queue === 'object' ? { dataCenter: uniqueId('t') } : {});
  const [controlDatabase, queueDatabase, ...cells] = await Promise.all([
    createMigrated('control', migrate, server),
    queue === 'postgres' ? createMigrated('queue', initQueue, server) : undefined,
    ...specs.map((spec) => createFilledCell({ server, ...own(), ...spec }, orgs, card)),
  ]);
  const queueUrl = typeof queue === 'object' ? queue.redis : queueDatabase?.url;
  const config = parseFleetConfig(cells, options.rollout ?? '{ batchSize: 100 }', options.sections ?? '');
  const urls = {
    control: through(controlDatabase.url),
    cells: cells.map((cell) => ({ id: cell.dataCenter.id, url: through(cell.url) })),
    queue: queueUrl,
  };
  const opened = new Set<() => Promise<unknown>>();
  const open = (log: Log = silentLog): EngineContext => openContext(urls, log, opened);
  const engine = open();
  await saveConfigured(engine, config);
  const initialised = cells.filter((_, n) => specs[n]?.init !== 'left');
  await Promise.all(initialised.map(({ dataCenter }) => shareSealKey(engine, dataCenter.id, 'existing')));
  const pool = new pg.Pool({ connectionString: controlDatabase.url, max: 2 });
  pool.on('error', () => undefined);
  const control: Sql = async (text, params) => (await pool.query(text, params && [...params])).rows;
  const running = new Set<RunningProcess | FleetProcess>();
  const remember = <T extends RunningProcess | FleetProcess>(started: T): T => {
    running.add(started);
    return started;
  };
  const connect = (): QueueConnection => {
    if (queueUrl === undefined) throw new Error('this fleet has no queue');
    return connectQueue(queueUrl);
  };
  const stages = async (): Promise<readonly Stage[]> =>
    (await control('select stage from credit_rollout_control.data_centers order by position')).map(
      (row) => row.stage as Stage,
    );
  const ids = cells.map((cell) => cell.dataCenter.id);
  const serve = () => Promise.all(ids.map((id) => serveOpenWork(engine, id)));
  return {
    cells,
    config,
    engine,
    controlUrl: controlDatabase.url,
    queueUrl,
    control,
    stages,
    cell: (n) => at(cells, n),
    apply: (...wanted) =>
      requestApply(engine, { config, card, dataCenters: wanted.map((cell) => cell.dataCenter), reason: null }),
    whatIf: ({ dataCenter }) => planDataCenter(engine, { config, dataCenter: dataCenter.id, card, save: 'nothing' }),
    plan: ({ dataCenter }) => planDataCenter(engine, { config, dataCenter: dataCenter.id, card, save: 'plan' }),
    applyPlan: ({ dataCenter }, planId) =>
      requestApply(engine, { config, card, dataCenters: [dataCenter], reason: null, follow: { planId } }),
    serve,
    drive: async () => {
      for (let idleRounds = 0, rounds = 0; idleRounds < 2; rounds += 1) {
        if (rounds === MAX_ROUNDS)
          throw new Error(`still moving after ${rounds} rounds: ${(await stages()).join(', ')}`);
        const moved = await tick(engine);
        const served = await serve();
        idleRounds =
          moved === 0 && served.every((outcome) => outcome === undefined || outcome === 'fenced') ? idleRounds + 1 : 0;
      }
      return stages();
    },
    tickUntil: async (what, so) => {
      await waitFor(what, async () => {
        await tick(engine);
        return so();
      });
    },
    waitForStages: (want, forMs = 180_000) =>
      waitFor(
        `stages (now ${ids.join(', ')})`,
        async () => {
          const now = await stages();
          return want(now) && now;
        },
        { forMs, everyMs: 50 },
      ),
    startWorker: ({ concurrency = 4, pollMs, log = silentLog, withoutControl, clock = systemClock } = {}) => {
      const context = openContext(withoutControl ? { ...urls, control: NOWHERE } : urls, log, opened);
      const options = { dataCenters: ids, queue: connect(), concurrency, ...(pollMs !== undefined && { pollMs }) };
      return remember(startWorker({ ...context, clock }, options));
    },
    startScheduler: ({ log, clock = systemClock } = {}) => remember(startScheduler({ ...open(log), clock }, connect())),
    spawn: async (role, { concurrency = 2, pollMs, clock } = {}) =>
      remember(await spawnFleetProcess({ role, concurrency, pollMs, queueUrl: queueUrl ?? '', urls }, clock)),
    expectInvariants: (except = []) =>
      expectInvariants({
        control,
        cells: cells.map(({ dataCenter, sql }) => ({ id: dataCenter.id, sql })),
        except,
      }),
    drop: async () => {
      await Promise.allSettled([...running].map((one) => one.stop()));
      await Promise.allSettled([...opened].map((close) => close()));
      await pool.end();
      await Promise.all([...cells, controlDatabase, queueDatabase].map((one) => one?.drop()));
    },
  };
}

/** What `initControl` does once the schema and its rights are there, as they are in a copy. */
async function saveConfigured({ control }: EngineContext, config: RolloutConfig): Promise<void> {
  await control.inTransaction(async (tx) => {
    await saveEmbedded(tx, 'embedded');
    await savePolicy(tx, config);
  });
}

/** A database with a schema that depends on nothing: a copy where it lies on the shared server. */
async function createMigrated(
  label: 'control' | 'queue',
  run: (url: string) => Promise<void>,
  server: string | undefined,
): Promise<TestDatabase> {
  const template = server === undefined ? await ensureTemplate(label, run) : undefined;
  const database = await createTestDatabase(label, { server, template });
  if (template === undefined) await run(database.url);
  return database;
}

async function migrate(url: string): Promise<void> {
  const control = createControlDatabase(openPostgres({ url, applicationName: 'credit-rollout', max: 1 }));
  await control.inTransaction(async (tx) => {
    await migrateControl(tx);
    await grantControlRoles(tx);
  });
  await control.close();
}

async function createFilledCell(spec: TestCellOptions, orgs: number, card: RateCard): Promise<TestCell> {
  const cell = await createTestCell({ card, ...spec });
  if (spec.orgs === undefined && spec.idType === undefined) await fillCell(cell, orgs);
  return cell;
}

/**
 * Adds `orgs` believable orgs with bigint ids from 1 on: every edition, both winners, purchases, one in 200
 * undecidable.
 */
export async function fillCell(cell: TestCell, orgs: number): Promise<void> {
  await cell.sql(
    `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, legacy_limit, created_at)
     select n, case when n % 200 = 7 then 'retired' else (array['free', 'express', 'standard', 'professional', 'enterprise'])[1 + n % 5] end,
       n % 5 <> 0, (n * 37) % 400, n % 11, case when n % 9 = 0 then 10000 else 0 end, case when n % 50 = 3 then 2000000 end,
       timestamptz '2024-03-01 12:00+00' from generate_series(1, $1::int) n`,
    [orgs],
  );
}

/** Makes every write of allotments in a cell take so much longer, so that something can happen in the middle. */
export async function slowDown(cell: TestCell, ms: number): Promise<void> {
  await cell.sql(`create or replace function public.slow_down() returns trigger language plpgsql as $$
    begin if exists (select from written) then perform pg_sleep(${ms / 1_000}); end if; return null; end $$`);
  await cell.sql(`create or replace trigger slow_down after insert on credit_rollout.allotments
    referencing new table as written for each statement execute function public.slow_down()`);
}

export async function speedUp(cell: TestCell): Promise<void> {
  await cell.sql('drop trigger if exists slow_down on credit_rollout.allotments');
}

function parseFleetConfig(cells: readonly TestCell[], asked: string, sections: string): RolloutConfig {
  // a busy machine must not decide how fast a run is; who tests the checks names them
  const rollout = asked.includes('checks:') ? asked : asked.replace('{', '{ checks: [],');
  const lines = cells.map(
    ({ dataCenter: { id, zone } }) => `  - { id: ${id}, zone: ${zone}, database: "\${${id}}", source: public.orgs }`,
  );
  return parseRolloutConfig(
    `controlDatabase: \${CONTROL}\nrateCard: none.yaml\nrollout: ${rollout}\n${sections}\ndataCenters:\n${lines.join('\n')}\n`,
    { lookup: () => undefined },
  );
}

function at<T>(list: readonly T[], n: number): T {
  if (n in list) return list[n] as T;
  throw new Error(`there is no ${n}-th`);
}

/** A data center id of its own: roles belong to the whole server. */
export const uniqueId = (prefix: string): string => `${prefix}${randomBytes(4).toString('hex')}`;
