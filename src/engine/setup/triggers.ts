// Changes of the triggers on the product's table: each in a short transaction that gives its lock up quickly and is tried
// again, so that no write of the product waits long behind us.
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
import {
  hasSignUpFunction,
  installSignUpTrigger,
  removeSignUpTrigger,
} from '../../stores/cell/setup/sign-up-trigger.js';
import { findSource } from '../../stores/cell/setup/source.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { toAttached } from './init-cell.js';

const ATTEMPTS = 20;
const PAUSE_MS = 500;

interface HungTriggers {
  /** `Data center "eu"`. */
  readonly subject: string;
  /** The product's table. */
  readonly relation: string;
  readonly what: 'a trigger' | 'triggers';
}

/** Throws not_permitted with the GRANT, cell_busy. */
export async function installTriggers(
  cell: CellDatabase,
  clock: Clock,
  { subject, relation, what }: HungTriggers,
  hang: (tx: CellTransaction) => Promise<void>,
): Promise<void> {
  try {
    await retryOnLockTimeout(cell, clock, hang);
  } catch (error) {
    if (classifyFailure(error).kind !== 'not_permitted') throw error;
    throw new RolloutError('not_permitted', {
      message: `${subject}: this login may not put ${what} on ${relation}.`,
      next: `As its owner run: ${await cell.asOwner((tx) => readTriggerGrant(tx, relation))}`,
      cause: error,
    });
  }
}

/** Tries until the table was free for a moment; throws the last 55P03 after some ten seconds. */
export async function retryOnLockTimeout(
  cell: CellDatabase,
  clock: Clock,
  act: (tx: CellTransaction) => Promise<void>,
): Promise<void> {
  await retryWithBackoff(() => cell.asOwner(act), {
    clock,
    attempts: ATTEMPTS,
    pauseMs: () => PAUSE_MS,
    retriesError: (error) => classifyFailure(error).kind === 'retry',
  });
}

// Puts the sign-up trigger on the product's table and takes it away, in short transactions that give their lock up quickly
// and are tried again: no write of the product waits long behind us.

/**
 * `wanted`: installs it; `as_before`: only brings one that is there up to date with the source. True: it is there now. After
 * `initCell`. Throws source_not_a_table, not_permitted with the GRANT, cell_busy.
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
      message: `${subject}: its source ${dataCenter.source} is a ${source.kind}, and nothing is inserted there: a sign-up trigger needs the table.`,
      next: 'Name the other data centers with --dc; for this one call credit_rollout.onboard_org(org_id) in the transaction of the sign-up: docs/sign-ups.md',
    });
  const hung = { subject, relation: source.relation, what: 'a trigger' } as const;
  await installTriggers(cell, clock, hung, (tx) => installSignUpTrigger(tx, source.relation));
  return true;
}

/** True: it was there, and is gone. */
export async function dropSignUpTrigger(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasSignUpFunction))) return false;
  await retryOnLockTimeout(cell, clock, removeSignUpTrigger);
  return true;
}

// Puts the change feed's triggers on the product's table and takes them away, each in a short transaction that gives its
// lock up quickly and is tried again: no write of the product waits long behind us.

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
  await installTriggers(cell, clock, hung, (tx) => installChangeTriggers(tx, toAttached(source)));
  return true;
}

/** True: they were there, and are gone. */
export async function removeChangeFeed(cell: CellDatabase, clock: Clock): Promise<boolean> {
  if (!(await cell.asOwner(hasChangeFunction))) return false;
  await retryOnLockTimeout(cell, clock, removeChangeTriggers);
  return true;
}
