// Puts the change feed's triggers on the product's table and takes them away, each in a short transaction that gives its
// lock up quickly and is tried again: no write of the product waits long behind us.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import type { Clock } from '../../kernel/clock.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import {
  hasChangeFunction,
  installChangeTriggers,
  removeChangeTriggers,
} from '../../stores/cell/setup/change-triggers.js';
import { findSource } from '../../stores/cell/setup/source.js';
import { toAttached } from './init-cell.js';
import { hangTriggers, insist } from './triggers.js';

/**
 * `wanted`: installs the triggers; `as_before`: only brings those that are there up to date with the source. True: they are
 * there now. After `initCell`. Throws source_not_a_table, not_permitted with the GRANT, cell_busy.
 */
export async function installChangeFeed(
  cell: CellDatabase,
  { dataCenter, clock, feed }: { dataCenter: DataCenterConfig; clock: Clock; feed: 'wanted' | 'as_before' },
): Promise<boolean> {
  const subject = `Data center "${dataCenter.id}"`;
  const source = await cell.asOwner((tx) => findSource(tx, dataCenter.source, dataCenter.id));
  if (feed === 'as_before' && !(await cell.asOwner(hasChangeFunction))) return false;
  if (source.kind !== 'table')
    throw new RolloutError('source_not_a_table', {
      message: `${subject}: its source ${dataCenter.source} is a ${source.kind}, and triggers that note edited orgs need a table.`,
    });
  const hung = { subject, relation: source.relation, what: 'triggers' } as const;
  await hangTriggers(cell, clock, hung, (tx) => installChangeTriggers(tx, toAttached(source)));
  return true;
}

/** True: they were there, and are gone. */
export async function removeChangeFeed(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasChangeFunction))) return false;
  await insist(cell, clock, removeChangeTriggers);
  return true;
}
