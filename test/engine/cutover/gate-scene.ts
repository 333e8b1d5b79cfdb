// A cell with its gate: arming and latching it, signing up at it, and reading what that left.
import pg from 'pg';
import { expect } from 'vitest';
import { armGate, latchGate } from '../../../src/engine/cutover/gate.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { markSwept } from '../../../src/stores/cell/cutover/gate.js';
import { writePendingSignUps } from '../../../src/stores/cell/cutover/pending-sign-ups.js';
import { createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { sealInCell } from '../../support/seal-in-cell.js';

export const closing: (() => Promise<unknown>)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

export async function makeCell(options?: TestCellOptions): Promise<TestCell> {
  const cell = await createTestCell(options);
  closing.push(cell.drop);
  return cell;
}

export async function connect(cell: TestCell): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cell.url });
  client.on('error', () => undefined);
  await client.connect();
  closing.push(() => client.end());
  return client;
}

export const inMs = (ms: number): Date => new Date(systemClock.now().getTime() + ms);
/** As control seals it now: a later call is a later setting. */
const sealInstant = (cell: TestCell, at: Date) =>
  sealInCell(cell.cell, 'cutover', { at, local: 'as configured', set_at: systemClock.now() });
export const arm = async (cell: TestCell, configuredAt: Date) =>
  armGate(cell.context, cell.dataCenter.id, await sealInstant(cell, configuredAt));
/** The armed instant comes now, instead of being waited for. */
export const reachInstant = (cell: TestCell) =>
  cell.sql(`set local session_replication_role = replica;
    update credit_rollout.gate set configured_at = clock_timestamp(), effective_at = clock_timestamp()`);
export const latch = (cell: TestCell) => latchGate(cell.context, cell.dataCenter.id);
export const cutOver = async (cell: TestCell): Promise<void> => {
  await arm(cell, inMs(-60_000));
  expect((await latch(cell)).kind).toBe('latched');
};
export const swept = (cell: TestCell): Promise<boolean> => cell.cell.inTransaction('fencer', markSwept);
export const onboard = async (cell: TestCell, orgId: string): Promise<unknown> =>
  (await cell.sql('select credit_rollout.onboard_org($1) as model', [orgId]))[0]?.model;
export const signUp = async (cell: TestCell, orgId: string, createdAt = 'now'): Promise<unknown> => {
  await cell.insertOrgs({ org_id: orgId, created_at: createdAt });
  return onboard(cell, orgId);
};
/** What a worker does a moment later, where single writes are allowed. */
export const writeWaiting = async (cell: TestCell): Promise<unknown> => {
  await cell.sql(`update credit_rollout.fence set state = 'closed', single_writes = true,
    timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`);
  return cell.cell.inTransaction('worker', writePendingSignUps);
};
/** What the product reads. */
export const capacity = async (cell: TestCell, orgId: string): Promise<Record<string, unknown> | undefined> =>
  (await cell.sql('select model, capacity from credit_rollout.org_capacity where org_id = $1', [orgId]))[0];
export const allotment = async (cell: TestCell, orgId: string): Promise<Record<string, unknown> | undefined> =>
  (
    await cell.sql('select floor, total_credits, origin, rate_card from credit_rollout.allotments where org_id = $1', [
      orgId,
    ])
  )[0];
export const record = async (cell: TestCell, orgId: string): Promise<Record<string, unknown> | undefined> =>
  (
    await cell.sql(
      `select s.model, s.decided_at >= g.effective_at as after from credit_rollout.sign_ups s cross join credit_rollout.gate g
       where s.org_id = $1`,
      [orgId],
    )
  )[0];
export const rejectionOf = (cell: TestCell, sql: string): Promise<unknown> =>
  cell.sql(sql).then(
    () => 'done',
    (error) => error.code,
  );
