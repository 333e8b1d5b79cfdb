// Puts the sign-up trigger on the product's table and takes it away, in short transactions that give their lock up quickly
// and are tried again: no write of the product waits long behind us.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import type { Clock } from '../../kernel/clock.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import {
  hasSignUpFunction,
  installSignUpTrigger,
  removeSignUpTrigger,
} from '../../stores/cell/setup/sign-up-trigger.js';
import { findSource } from '../../stores/cell/setup/source.js';
import { hangTriggers, insist } from './triggers.js';

/**
 * `wanted`: installs it; `as_before`: only brings one that is there up to date with the source. True: it is there now. After
 * `initCell`. Throws source_not_a_table, not_permitted with the GRANT, cell_busy.
 */
export async function hangSignUpTrigger(
  cell: CellDatabase,
  { dataCenter, clock, trigger }: { dataCenter: DataCenterConfig; clock: Clock; trigger: 'wanted' | 'as_before' },
): Promise<boolean> {
  const subject = `Data center "${dataCenter.id}"`;
  if (trigger === 'as_before' && !(await cell.asOwner(hasSignUpFunction))) return false;
  const source = await cell.asOwner((tx) => findSource(tx, dataCenter.source, dataCenter.id));
  if (source.kind !== 'table')
    throw new RolloutError('source_not_a_table', {
      message: `${subject}: its source ${dataCenter.source} is a ${source.kind}, and nothing is inserted there: a sign-up trigger needs the table.`,
      next: 'Name the other data centers with --dc; for this one call credit_rollout.onboard_org(org_id) in the transaction of the sign-up: docs/sign-ups.md',
    });
  const hung = { subject, relation: source.relation, what: 'a trigger' } as const;
  await hangTriggers(cell, clock, hung, (tx) => installSignUpTrigger(tx, source.relation));
  return true;
}

/** True: it was there, and is gone. */
export async function dropSignUpTrigger(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasSignUpFunction))) return false;
  await insist(cell, clock, removeSignUpTrigger);
  return true;
}
