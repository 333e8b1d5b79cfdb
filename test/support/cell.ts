// A cell of its own for a suite: a database with the product's orgs and our schema, and a run without scheduler or
// queue. It is a copy of a template whose migrations ran once. Roles belong to the whole server: a cell that names no
// data center gets one of a few ids, whose roles and grants the template has, and which no other cell of this process
// has meanwhile.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DataCenterConfig } from '../../src/domain/config/rollout-config.js';
import type { RateCard } from '../../src/domain/rate-card/rate-card.js';
import { applyBatches } from '../../src/engine/batch/apply-batches.js';
import type { WorkerContext } from '../../src/engine/context.js';
import { makePlan } from '../../src/engine/plan/make-plan.js';
import { parsePlanName } from '../../src/engine/plan/plan-id.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { systemClock } from '../../src/kernel/clock.js';
import { lockFenceExclusive, readFence, saveFenceClosed, setFence } from '../../src/stores/cell/batch/fence.js';
import { endRun, openSealedRun, passCanary } from '../../src/stores/cell/batch/runs.js';
import type { CellDatabase } from '../../src/stores/cell/cell-database.js';
import { letOwnerReadSql, listRoleNames } from '../../src/stores/cell/setup/roles.js';
import { sampleCard } from '../domain/rate-card/sample-card.js';
import type { Sql } from './invariants.js';
import { openTestCell } from './open-context.js';
import { adminUrl, createTestDatabase, ensureTemplate, runAsAdmin, type TestDatabase } from './postgres.js';
import { sealInCell } from './seal-in-cell.js';
import { noWakeUps, silentLog } from './silent.js';

export type IdType = 'smallint' | 'integer' | 'bigint' | 'uuid' | 'text' | 'varchar';

/**
 * One org of the product. Left out: standard, paid, 300 agents, nothing else. Numbers beyond 2^53 as bigint or text.
 */
export interface TestOrg {
  readonly org_id?: string | number | bigint | null;
  readonly edition?: string | null;
  readonly paid?: boolean | null;
  readonly agents?: number | bigint | string | null;
  readonly light_agents?: number | bigint | string | null;
  readonly additional_credits?: number | bigint | string | null;
  readonly legacy_limit?: number | bigint | string | null;
  /** As Postgres reads it, `infinity` included. */
  readonly created_at?: string | null;
  readonly updated_at?: string | null;
  readonly peak_credits?: number | bigint | string | null;
}

export interface TestCellOptions {
  readonly dataCenter?: string;
  readonly zone?: string;
  readonly card?: RateCard;
  readonly idType?: IdType;
  /** Makes public.orgs an updatable view over the table public.org_rows. */
  readonly view?: boolean;
  /** What orders ids: a primary key, a plain index (duplicates fit), or nothing (null ids fit too). */
  readonly key?: 'primary' | 'index' | 'none';
  readonly orgs?: readonly TestOrg[];
  /** `left`: the product's table is there, our schema is not. */
  readonly init?: 'done' | 'left';
  /** Another server than the shared one, by its admin URL. */
  readonly server?: string | undefined;
}

export interface TestCell {
  readonly cell: CellDatabase;
  /** As the server's superuser. */
  readonly url: string;
  readonly database: string;
  readonly dataCenter: DataCenterConfig;
  readonly card: RateCard;
  /** For engine verbs that need no control. */
  readonly context: WorkerContext;
  /** Runs SQL with $1 parameters as the superuser; int8 and numeric come as text; cast dates to text yourself. */
  sql(text: string, params?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Runs SQL without the triggers that protect our tables: the clock cannot be turned, so the past is. */
  rewritePast(text: string): Promise<void>;
  insertOrgs(...orgs: readonly TestOrg[]): Promise<void>;
  /** Makes or upgrades our schema, as `init` does; the owner of the product's table has run the GRANT. */
  init(card?: RateCard): Promise<void>;
  drop(): Promise<void>;
}

const KEYS = { primary: ' primary key', index: '', none: '' } as const;

/** Makes the product's database, runs `init` on it and fills it. Call drop() in afterAll or afterEach. */
export async function createTestCell(options: TestCellOptions = {}): Promise<TestCell> {
  const { idType = 'bigint', card = sampleCard, zone = 'UTC' } = options;
  const isCopy = options.init !== 'left' && options.server === undefined;
  const slot = takeSlot();
  const id = options.dataCenter ?? (isCopy ? slotId(slot) : `t${randomBytes(5).toString('hex')}`);
  const database = await createDatabase(id, isCopy ? await ensureCellTemplate(options, slot) : undefined, options);
  const { sql, end } = openSql(database.url);
  const dataCenter = { id, zone, database: { text: database.url }, source: 'public.orgs' };
  const cell = openTestCell(database.url, id);
  const init = async (as: RateCard = card): Promise<void> => {
    await letOwnerRead(sql, id);
    await initCell(cell, { dataCenter, card: as, lapseGraceDays: 30 });
    // a busy machine must not decide how sign-ups are written
    await sql('update credit_rollout.cell set one_org_ms = null');
  };
  const rewritePast: TestCell['rewritePast'] = async (text) => {
    await sql(`begin; set local session_replication_role = replica; ${text}; commit`);
  };
  if (isCopy) await adopt(sql, id);
  else await createOrgs(sql, options);
  const insertOrgs = createInserter(sql, idType);
  if (options.orgs) await insertOrgs(...options.orgs);
  if (options.init !== 'left' && !(isCopy && id === slotId(slot))) await init();
  const drop = async (): Promise<void> => {
    await Promise.all([end(), cell.close()]);
    await database.drop();
    slots.delete(slot);
    if (id !== slotId(slot)) await dropRoles(id, options.server ?? adminUrl());
  };
  const context = contextOf(cell);
  const { url, name } = database;
  return { cell, url, database: name, dataCenter, card, context, sql, rewritePast, insertOrgs, init, drop };
}

/** Whether a session of this cell waits for a lock: pg_locks would have those of every suite on the server. */
export async function hasLockWait({ sql }: Pick<TestCell, 'sql'>): Promise<boolean> {
  return (
    (await sql(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).length >
    0
  );
}

const slots = new Set<number>();

function takeSlot(): number {
  let slot = 0;
  while (slots.has(slot)) slot += 1;
  slots.add(slot);
  return slot;
}

const slotId = (slot: number): string => `t${String(slot).padStart(10, '0')}`;

const createDatabase = (
  id: string,
  template: string | undefined,
  { server }: Pick<TestCellOptions, 'server'>,
): Promise<TestDatabase> => createTestDatabase(`cell_${id}`, { server, template });

/** An empty cell after `init`, under the id of the slot. */
function ensureCellTemplate(options: TestCellOptions, slot: number): Promise<string> {
  const { idType = 'bigint', card = sampleCard, zone = 'UTC', view = false, key = 'primary' } = options;
  const id = slotId(slot);
  return ensureTemplate(['cell', id, idType, card.hash, zone, view, key].join(' '), async (url) => {
    const { sql, end } = openSql(url);
    const cell = openTestCell(url, id);
    await createOrgs(sql, options);
    await letOwnerRead(sql, id);
    const dataCenter = { id, zone, database: { text: url }, source: 'public.orgs' };
    await initCell(cell, { dataCenter, card, lapseGraceDays: 30 });
    await sql('update credit_rollout.cell set one_org_ms = null');
    await Promise.all([end(), cell.close()]);
  });
}

/** Records in a copy which database and which data center it is. */
async function adopt(sql: TestCell['sql'], id: string): Promise<void> {
  await sql('update credit_rollout.cell set database_name = current_database(), data_center = $1', [id]);
}

function openSql(url: string): { sql: TestCell['sql']; end: () => Promise<void> } {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  return {
    sql: async (text, params) => (await pool.query(text, params && [...params])).rows,
    end: () => pool.end(),
  };
}

async function createOrgs(
  sql: TestCell['sql'],
  { idType = 'bigint', key = 'primary', view }: TestCellOptions,
): Promise<void> {
  const table = view ? 'public.org_rows' : 'public.orgs';
  await sql(`create table ${table} (org_id ${idType}${KEYS[key]}, edition text, paid boolean, agents bigint,
    light_agents bigint, additional_credits bigint, legacy_limit bigint, created_at timestamptz, updated_at timestamptz,
    peak_credits bigint)`);
  if (key === 'index') await sql(`create index on ${table} (org_id)`);
  await sql(`create index on ${table} (updated_at)`);
  if (view) await sql(`create view public.orgs as select * from ${table}`);
}

/** What the owner of a source grants before `init`, for everything that is in `public` now. */
export async function letOwnerRead(sql: Sql, dataCenter: string): Promise<void> {
  await sql(letOwnerReadSql(dataCenter, 'all tables in schema public'));
}

/** A worker's context on one cell, with silent wake-ups and the machine's clock. */
export function contextOf(cell: CellDatabase): WorkerContext {
  return { cells: { get: () => cell }, wakeUps: noWakeUps, clock: systemClock, log: silentLog };
}

function createInserter(sql: TestCell['sql'], idType: IdType): TestCell['insertOrgs'] {
  let next = 1;
  return async (...orgs) => {
    const rows = orgs.map((org) => ({ ...DEFAULTS, org_id: makeId(next++, idType), ...org }));
    const json = JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    await sql(`insert into public.orgs select * from jsonb_populate_recordset(null::public.orgs, $1::jsonb)`, [json]);
  };
}

const DEFAULTS = {
  edition: 'standard',
  paid: true,
  agents: 300,
  light_agents: 0,
  additional_credits: 0,
  created_at: '2024-03-01 12:00+00',
  updated_at: '2024-03-01 12:00+00',
};

/** The id that the n-th org gets when it names none: `7`, `org-000007`, `00000000-0000-4000-8000-000000000007`. */
export function makeId(n: number, idType: IdType): string {
  if (idType === 'uuid') return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  return idType === 'text' || idType === 'varchar' ? `org-${String(n).padStart(6, '0')}` : String(n);
}

async function dropRoles(dataCenter: string, server: string): Promise<void> {
  // another suite's cell may still use a role of a data center that was named on purpose
  for (const role of listRoleNames(dataCenter))
    await runAsAdmin(server, `drop role if exists "${role}"`).catch(() => undefined);
}

export interface ApplyAllOptions {
  readonly batchSize?: number;
  readonly lanes?: number;
  readonly card?: RateCard;
  readonly rails?: { readonly quarantinedShare: number };
  /** How the fence is left: closed and the run done (default), or open. */
  readonly leave?: 'done' | 'open';
}

/** Plans a cell, opens a run and applies every batch, with no control and no queue; returns run and epoch. */
export async function applyAll(
  { cell, context, dataCenter, card }: Pick<TestCell, 'cell' | 'context' | 'dataCenter' | 'card'>,
  options: ApplyAllOptions = {},
): Promise<{ runId: bigint; epoch: bigint }> {
  const epoch = await openRun(cell, options.card ?? card, options);
  const at = { dataCenter: dataCenter.id, epoch, forMs: 60_000 };
  await applyCanary(cell, at);
  const { last } = await applyBatches(context, at);
  if (last.kind !== 'nothing_pending') throw new Error(`the run stopped: ${JSON.stringify(last)}`);
  if (options.leave !== 'open')
    await cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await saveFenceClosed(tx, null);
      await endRun(tx, epoch, 'done');
    });
  return { runId: epoch, epoch };
}

/**
 * Plans a cell and opens the fence for a run of that plan, whose id is its epoch, as the scheduler would. Its canary is
 * pending.
 */
export async function openRun(cell: CellDatabase, card: RateCard, options: ApplyAllOptions = {}): Promise<bigint> {
  const { batchSize = 1_000, lanes = 2, rails = { quarantinedShare: 1 } } = options;
  const { dataCenter } = cell;
  const question = {
    dataCenter,
    card,
    author: 'tester',
    rangeSize: batchSize,
    lanes,
    rails,
    save: 'new_plan',
  } as const;
  const { planId, digest } = await makePlan(contextOf(cell), question);
  return cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    const epoch = (await readFence(tx)).epoch + 1n;
    const content = {
      run_id: Number(epoch),
      plan_id: Number(parsePlanName(planId ?? '')?.number),
      digest,
      card_hash: card.hash,
      batch_size: batchSize,
      lanes,
      rails,
    };
    await openSealedRun(tx, await sealInCell(cell, 'run', content));
    await setFence(tx, { state: 'open', epoch, runId: epoch });
    return epoch;
  });
}

/** Applies the canary of an open run, and lets it pass without its verification: its ranges may be taken. */
export async function applyCanary(
  cell: CellDatabase,
  at: { readonly dataCenter: string; readonly epoch: bigint; readonly forMs: number },
): Promise<void> {
  await applyBatches(contextOf(cell), at);
  await cell.inTransaction('fencer', (tx) => passCanary(tx, at.epoch));
}
