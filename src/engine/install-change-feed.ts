// Puts the change feed's triggers on the product's table and takes them away, each in a short transaction that gives its
// lock up quickly and is tried again: no write of the product waits long behind us.
import type { DataCenterConfig } from '../domain/config/rollout-config.js';
import type { Clock } from '../kernel/clock.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { CellDatabase, CellTransaction } from '../stores/cell/cell-database.js';
import {
  hasChangeFunction,
  installChangeTriggers,
  readTriggerGrant,
  removeChangeTriggers,
} from '../stores/cell/change-triggers.js';
import { findSource } from '../stores/cell/source.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import { explainFailure } from './explain-failure.js';
import { toAttached } from './init-cell.js';

const ATTEMPTS = 20;
const PAUSE_MS = 500;

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
  try {
    await insist(cell, clock, (tx) => installChangeTriggers(tx, toAttached(source)));
    return true;
  } catch (error) {
    if (classifyFailure(error).kind !== 'not_permitted') throw explainFailure(error, subject);
    throw new RolloutError('not_permitted', {
      message: `${subject}: this login may not put triggers on ${source.relation}.`,
      next: `As its owner run: ${await cell.asOwner((tx) => readTriggerGrant(tx, source.relation))}`,
      cause: error,
    });
  }
}

/** True: they were there, and are gone. */
export async function removeChangeFeed(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasChangeFunction))) return false;
  await insist(cell, clock, removeChangeTriggers);
  return true;
}

/** Tries until the table was free for a moment; throws the last 55P03 after some ten seconds. */
export async function insist(
  cell: CellDatabase,
  clock: Clock,
  act: (tx: CellTransaction) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await cell.asOwner(act);
    } catch (error) {
      if (classifyFailure(error).kind !== 'retry' || attempt === ATTEMPTS) throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
}
