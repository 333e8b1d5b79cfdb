// One org that was rolled out in the open window and swept since, for the tests of its life after the sweep.
import type { TestOrg } from '../../support/cell.js';
import { expectInvariants } from '../../support/invariants.js';
import { beginLife, type Life } from './night.js';

/** Rolled out in the open window, and swept since. */
export async function beginSwept(org: TestOrg, dropped: (() => Promise<void>)[]): Promise<Life> {
  const life = await beginLife(org, dropped);
  await life.cutOver();
  return life;
}
export const checkLife = ({ cell }: Life): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }] });
