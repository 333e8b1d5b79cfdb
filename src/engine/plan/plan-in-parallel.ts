// Plans on several connections at once, all in one snapshot. The first connection's transaction commits last: until
// then nothing that the others stored belongs to a plan.
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { joinSnapshot, type PlanAccess } from '../../stores/cell/plan/planning.js';

export interface ParallelPlanning {
  readonly cell: CellDatabase;
  readonly access: PlanAccess;
  /** How many connections, the first one included. */
  readonly count: number;
  readonly statementMs: number;
  /** Shared by the first connection; not needed where it is alone. */
  readonly snapshot: string;
}

/**
 * Runs `work` on `tx` and on further connections. Returns when those have committed, which they do once all are
 * finished. When one fails, `close` is called to end the others, all roll back, and its error is thrown.
 */
export async function planInParallel(
  tx: CellTransaction,
  { cell, access, count, statementMs, snapshot }: ParallelPlanning,
  work: (tx: CellTransaction) => Promise<void>,
  close: () => void,
): Promise<void> {
  const verdict = createVerdict();
  const run = async (lane: CellTransaction): Promise<void> => {
    try {
      await work(lane);
    } catch (error) {
      close();
      throw error;
    }
  };
  const help = async (finish: () => void): Promise<void> =>
    cell.inTransaction(
      'planner',
      async (lane) => {
        await joinSnapshot(lane, snapshot, access);
        await run(lane);
        finish();
        await verdict.given;
      },
      { statementMs },
    );
  const helpers = Array.from({ length: count - 1 }, () => startHelper(help));
  const lanes = await Promise.allSettled([run(tx), ...helpers.map(({ finished }) => finished)]);
  const failed = lanes.find((lane) => lane.status === 'rejected');
  verdict.give(failed?.reason);
  const commits = await Promise.allSettled(helpers.map(({ committed }) => committed));
  const lost = failed ?? commits.find((commit) => commit.status === 'rejected');
  if (lost !== undefined) throw lost.reason;
}

interface Helper {
  /** Its work is done, but not committed. */
  readonly finished: Promise<void>;
  readonly committed: Promise<void>;
}

function startHelper(help: (finish: () => void) => Promise<void>): Helper {
  let committed = Promise.resolve();
  const finished = new Promise<void>((resolve, reject) => {
    committed = help(resolve);
    committed.catch(reject);
  });
  return { finished, committed };
}

/** What every helper waits for before it commits; a reason makes it roll back. */
function createVerdict(): { readonly given: Promise<void>; give(reason: unknown): void } {
  let give: (reason: unknown) => void = () => undefined;
  const given = new Promise<void>((resolve, reject) => {
    give = (reason) => (reason === undefined ? resolve() : reject(reason));
  });
  given.catch(() => undefined); // nobody may be waiting
  return { given, give };
}
