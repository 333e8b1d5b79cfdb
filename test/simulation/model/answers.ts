// What a function of a store answers, so that the model's answer and the database's can be compared.
import { classifyFailure } from '../../../src/stores/postgres-failure.js';
import type { Database, Transaction } from '../engine/database.js';
import { Process } from '../engine/process.js';

export type Answer = { readonly gave: unknown } | { readonly refused: string };

/** A refusal by its constraint where a rule of ours has one, else by its SQLSTATE; a bug is thrown. */
export async function answerOf(ask: () => Promise<unknown>): Promise<Answer> {
  try {
    return { gave: (await ask()) ?? null };
  } catch (error) {
    const { sqlstate, ours } = classifyFailure(error);
    if (sqlstate === undefined) throw error;
    return { refused: sqlstate === '23001' && ours !== undefined ? ours : sqlstate };
  }
}

/** A client of the model that waits for nobody. */
export function createClient(): Process {
  const process = new Process('compared', 'worker');
  process.budget = Number.MAX_SAFE_INTEGER;
  return process;
}

/** One transaction on the model, at the true time. */
export function inModel<S extends object, T>(
  db: Database<S>,
  process: Process,
  work: (tx: Transaction<S>) => Promise<T>,
): Promise<T> {
  db.clock.nowMs = Date.now();
  return db.inTransaction(process, 'quick', work);
}
