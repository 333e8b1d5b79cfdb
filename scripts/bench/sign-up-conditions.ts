// What goes on around sign-ups while the benchmark counts those that are lost: nothing, locks of others, no scheduler
// and no worker, a gate that is armed and latched again and again. Never locks what the product's own insert needs.
import pg from 'pg';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { CellDatabase } from '../../src/stores/cell/cell-database.js';
import { lockGate } from '../../src/stores/cell/cutover/gate.js';
import { classifyFailure } from '../../src/stores/postgres-failure.js';
import { execute } from '../../src/stores/query.js';
import { DATA_CENTER } from './bed.js';

export const SIGN_UP_CONDITIONS = [
  'calm',
  'locks',
  'no scheduler',
  'latching',
  'serializable',
  'new sessions',
] as const;
export type SignUpCondition = (typeof SIGN_UP_CONDITIONS)[number];

/** Where a condition takes place. */
export interface SignUpPlace {
  readonly url: string;
  readonly cell: CellDatabase;
}

/** What the product begins its transactions with. */
export const isolationOf = (condition: SignUpCondition): string =>
  condition === 'serializable' ? 'isolation level serializable' : '';

/** Sets the cell up for a condition, and returns what ends it. */
export async function startCondition(condition: SignUpCondition, { url, cell }: SignUpPlace): Promise<Ending> {
  const latched = condition === 'latching' || condition === 'no scheduler' ? 'null' : `'2026-01-01'`;
  await withOther(url, (other) => other.query(setGateSql('2026-01-01', latched, condition !== 'no scheduler')));
  if (condition === 'no scheduler') return async () => undefined;
  const write = (): Promise<unknown> => writeSignUps({ cells: { get: () => cell } }, DATA_CENTER.id);
  // an instant that moves on leaves those before it unwritten
  const running = condition === 'latching' ? [] : [repeat(() => write().then(() => rest(200)))];
  if (condition === 'locks') running.push(lockInTurn(url));
  if (condition === 'latching') running.push(latchInTurn(cell), holdOpen(url));
  return async () => {
    await Promise.all(running.map((end) => end()));
  };
}

type Ending = () => Promise<void>;

/** A gate with that instant; the triggers that keep what has happened are off. */
const setGateSql = (instant: string, latchedAt: string, singleWrites: boolean): string => `
  begin; set local session_replication_role = replica;
  update credit_rollout.gate set configured_at = '${instant}', configured_local = 'then', armed_at = '2025-12-01',
    effective_at = '${instant}', latched_at = ${latchedAt};
  update credit_rollout.fence set single_writes = ${singleWrites},
    timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  commit`;

const LOCK_MS = 80;
const REST_MS = 120;

/** What others may hold: the gate, the fence, our tables as a migration takes them, and a row of ours. */
const LOCKS = [
  'select pg_advisory_xact_lock(1129467724, -1)',
  'lock table credit_rollout.sign_ups in access exclusive mode',
  'select pg_advisory_xact_lock(1129467724, 0)',
  'lock table credit_rollout.allotments in access exclusive mode',
  'lock table credit_rollout.pending_sign_ups in access exclusive mode',
  'lock table credit_rollout.gate in access exclusive mode',
  'lock table credit_rollout.cell in access exclusive mode',
];

function lockInTurn(url: string): Ending {
  let turn = 0;
  return repeatOn(url, async (other) => {
    turn += 1;
    if (await tryLock(other, `set local lock_timeout = 1000; ${LOCKS[turn % LOCKS.length]}`)) {
      await rest(LOCK_MS);
      await other.query('commit');
    }
    await rest(REST_MS);
  });
}

/** False when others held it for too long. */
async function tryLock(other: pg.Client, sql: string): Promise<boolean> {
  try {
    await other.query(`begin; ${sql}`);
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    await other.query('rollback');
    return false;
  }
}

/**
 * Arms for a moment later, waits until it is over, latches as the engine does, and begins again; the triggers that keep
 * a latch are off.
 */
function latchInTurn(cell: CellDatabase): Ending {
  return repeat(async () => {
    await updateGate(
      cell,
      'queues',
      `armed_at = clock_timestamp(), latched_at = null,
      configured_at = clock_timestamp(), effective_at = clock_timestamp() + interval '50 ms'`,
    );
    await rest(REST_MS);
    await updateGate(cell, 'polls', 'latched_at = clock_timestamp()');
    await rest(REST_MS);
  });
}

async function updateGate(cell: CellDatabase, how: 'polls' | 'queues', change: string): Promise<void> {
  for (;;) {
    try {
      return await cell.asOwner(async (tx) => {
        await lockGate(tx, how);
        await execute(tx, `set local session_replication_role = replica; update credit_rollout.gate set ${change}`);
      });
    } catch (error) {
      if (classifyFailure(error).sqlstate !== '55P03') throw error;
      await rest(REST_MS);
    }
  }
}

/** A sign-up that asks and stays open, so that the latch has to wait. */
function holdOpen(url: string): Ending {
  return repeatOn(url, async (other) => {
    await other.query('begin; select credit_rollout.signup_model()');
    await rest(LOCK_MS);
    await other.query('rollback');
    await rest(REST_MS);
  });
}

const rest = (ms: number): Promise<void> => systemClock.sleep(ms);

function repeat(step: () => Promise<unknown>): Ending {
  const stopping = new AbortController();
  const ended = (async () => {
    while (!stopping.signal.aborted) await step();
  })();
  ended.catch(() => undefined); // whoever ends it gets the error
  return async () => {
    stopping.abort();
    await ended;
  };
}

function repeatOn(url: string, step: (other: pg.Client) => Promise<unknown>): Ending {
  const opened = openOther(url);
  const end = repeat(async () => step(await opened));
  return async () => {
    await end().finally(async () => (await opened).end());
  };
}

async function openOther(url: string): Promise<pg.Client> {
  const other = new pg.Client({ connectionString: url, application_name: 'credit-rollout bench' });
  other.on('error', () => undefined);
  await other.connect();
  return other;
}

async function withOther(url: string, work: (other: pg.Client) => Promise<unknown>): Promise<void> {
  const other = await openOther(url);
  await work(other).finally(() => other.end());
}
