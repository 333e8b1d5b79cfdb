// Installs and removes our triggers on the product's table: that of the sign-up gate, and those of the change feed.
// Each change is a short transaction that gives up its lock quickly and is retried, so that no write of the product
// waits for us.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import type { Clock } from '../../kernel/clock.js';
import { retryWithBackoff } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import {
  hasChangeFunction,
  installChangeTriggers,
  readTriggerGrant,
  removeChangeTriggers,
} from '../../stores/cell/setup/change-triggers.js';
import { giveSchema } from '../../stores/cell/setup/ownership.js';
import {
  hasSignUpFunction,
  installSignUpTrigger,
  removeSignUpTrigger,
} from '../../stores/cell/setup/sign-up-trigger.js';
import { findSource } from '../../stores/cell/setup/source.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { toAttached } from './init-cell.js';

/**
 * `wanted`: installs the sign-up trigger; `as_before`: only updates an existing one to the source. True: it exists now.
 * After `initCell`. Throws source_not_a_table, not_permitted with the GRANT, cell_busy.
 */
export async function addSignUpTrigger(
  cell: CellDatabase,
  { dataCenter, clock, trigger }: { dataCenter: DataCenterConfig; clock: Clock; trigger: 'wanted' | 'as_before' },
): Promise<boolean> {
  const subject = `Data center "${dataCenter.id}"`;
  if (trigger === 'as_before' && !(await cell.asOwner(hasSignUpFunction))) return false;
  const source = await cell.asOwner((tx) => findSource(tx, dataCenter.source, dataCenter.id));
  if (source.kind !== 'table')
    throw new RolloutError('source_not_a_table', {
      message:
        `${subject}: its source ${dataCenter.source} is a ${source.kind}, and nothing is inserted there: a ` +
        'sign-up trigger needs the table.',
      next:
        'Name the other data centers with --dc; for this one call credit_rollout.onboard_org(org_id) in the ' +
        'transaction of the sign-up: docs/how-to/sign-ups.md',
    });
  const table = { subject, relation: source.relation, what: 'a trigger' } as const;
  await installTriggers(cell, clock, table, (tx) => installSignUpTrigger(tx, source.relation));
  return true;
}

/** True: it existed, and was removed. */
export async function dropSignUpTrigger(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasSignUpFunction))) return false;
  await retryOnLockTimeout(cell, clock, removeSignUpTrigger);
  return true;
}

/**
 * `wanted`: installs the triggers of the change feed; `as_before`: only updates existing ones to the source. True: they
 * exist now. After `initCell`. Throws source_not_a_table, not_permitted with the GRANT, cell_busy.
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
      message:
        `${subject}: its source ${dataCenter.source} is a ${source.kind}, and the triggers that record edited ` +
        'orgs need a table.',
    });
  const table = { subject, relation: source.relation, what: 'triggers' } as const;
  await installTriggers(cell, clock, table, (tx) => installChangeTriggers(tx, toAttached(source)));
  return true;
}

/** True: they existed, and were removed. */
export async function removeChangeFeed(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasChangeFunction))) return false;
  await retryOnLockTimeout(cell, clock, removeChangeTriggers);
  return true;
}

interface TriggeredTable {
  /** `Data center "eu"`. */
  readonly subject: string;
  /** The product's table. */
  readonly relation: string;
  readonly what: 'a trigger' | 'triggers';
}

/** Throws not_permitted with the GRANT, cell_busy. */
async function installTriggers(
  cell: CellDatabase,
  clock: Clock,
  { subject, relation, what }: TriggeredTable,
  install: (tx: CellTransaction) => Promise<void>,
): Promise<void> {
  try {
    await retryOnLockTimeout(cell, clock, async (tx) => {
      await install(tx);
      // the functions run as their owner
      await giveSchema(tx, cell.dataCenter);
    });
  } catch (error) {
    if (classifyFailure(error).kind !== 'not_permitted') throw error;
    throw new RolloutError('not_permitted', {
      message: `${subject}: this login may not put ${what} on ${relation}.`,
      next: `As its owner run: ${await cell.asOwner((tx) => readTriggerGrant(tx, relation))}`,
      cause: error,
    });
  }
}

const ATTEMPTS = 20;
const PAUSE_MS = 500;

/** Tries until the table is free for a moment; throws the last 55P03 after some ten seconds. */
function retryOnLockTimeout(
  cell: CellDatabase,
  clock: Clock,
  change: (tx: CellTransaction) => Promise<void>,
): Promise<void> {
  return retryWithBackoff(() => cell.asOwner(change), {
    clock,
    attempts: ATTEMPTS,
    pauseMs: () => PAUSE_MS,
    retriesError: (error) => classifyFailure(error).kind === 'retry',
  });
}
