// Changes of the triggers on the product's table: each in a short transaction that gives its lock up quickly and is tried
// again, so that no write of the product waits long behind us.
import type { Clock } from '../../kernel/clock.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { readTriggerGrant } from '../../stores/cell/setup/change-triggers.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { explainFailure } from '../database-errors.js';

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
export async function hangTriggers(
  cell: CellDatabase,
  clock: Clock,
  { subject, relation, what }: HungTriggers,
  hang: (tx: CellTransaction) => Promise<void>,
): Promise<void> {
  try {
    await insist(cell, clock, hang);
  } catch (error) {
    if (classifyFailure(error).kind !== 'not_permitted') throw explainFailure(error, subject);
    throw new RolloutError('not_permitted', {
      message: `${subject}: this login may not put ${what} on ${relation}.`,
      next: `As its owner run: ${await cell.asOwner((tx) => readTriggerGrant(tx, relation))}`,
      cause: error,
    });
  }
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
