// A cell of many orgs, rolled out and swept, and questions about it, for tests of whole nights.
import { totalDrift } from '../../../src/domain/reconcile/drift-counts.js';
import { readDriftCounts } from '../../../src/stores/cell/reconcile/drift-writes.js';
import { applyAll, createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';
import { expectInvariants } from '../../support/invariants.js';
import { createLife } from './night.js';

/** So many orgs, rolled out and swept. */
export async function makeCell(
  dropped: (() => Promise<void>)[],
  orgs: number,
  options: TestCellOptions = {},
): Promise<TestCell> {
  const cell = await createTestCell(options);
  dropped.push(cell.drop);
  await fillCell(cell, orgs);
  await applyAll(cell, { batchSize: 1_000 });
  await createLife(cell).cutOver();
  return cell;
}
export const one = async (cell: TestCell, sql: string): Promise<unknown> =>
  Object.values((await cell.sql(sql))[0] ?? {})[0];
export const check = (cell: TestCell, except: readonly string[] = []): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except });
/** Decidable orgs whose allotment is not what the rule gives. */
export const leftOver = (cell: TestCell): Promise<unknown> =>
  one(cell, `select count(*) from credit_rollout.decided where reason is null and movement <> 'same'`);
export const outcomes = async (cell: TestCell, epoch: bigint) =>
  totalDrift(await cell.cell.inTransaction('fencer', (tx) => readDriftCounts(tx, epoch)));
