// Plans on several connections at once, all in one snapshot. The first lane's transaction commits last: until then nothing
// that the others stored belongs to a plan.
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { joinSnapshot, type PlanAccess, shareSnapshot, waitForOthers } from '../../stores/cell/plan/planning.js';

export interface Lanes {
  readonly cell: CellDatabase;
  readonly access: PlanAccess;
  /** How many work, the first one included. */
  readonly count: number;
  readonly statementMs: number;
}

/**
 * Runs `work` on `tx` and on helpers beside it. Returns when the helpers have committed, which they do once every lane is
 * through; when one fails, all roll back and its error is thrown. `close` is called then, and makes the others end.
 */
export async function workInLanes(
  tx: CellTransaction,
  { cell, access, count, statementMs }: Lanes,
  work: (tx: CellTransaction) => Promise<void>,
  close: () => void,
): Promise<void> {
  const snapshot = count > 1 ? await shareSnapshot(tx) : '';
  const verdict = createVerdict();
  const run = async (lane: CellTransaction): Promise<void> => {
    try {
      await work(lane);
      if (count > 1) await waitForOthers(lane);
    } catch (error) {
      close();
      throw error;
    }
  };
  const help = async (through: () => void): Promise<void> =>
    cell.inTransaction(
      'planner',
      async (lane) => {
        await joinSnapshot(lane, snapshot, access);
        await run(lane);
        through();
        await verdict.given;
      },
      { statementMs },
    );
  const helpers = Array.from({ length: count - 1 }, () => startHelper(help));
  const lanes = await Promise.allSettled([run(tx), ...helpers.map(({ through }) => through)]);
  const failed = lanes.find((lane) => lane.status === 'rejected');
  verdict.give(failed?.reason);
  const commits = await Promise.allSettled(helpers.map(({ committed }) => committed));
  const lost = failed ?? commits.find((commit) => commit.status === 'rejected');
  if (lost !== undefined) throw lost.reason;
}

interface Helper {
  /** Its work is done, and not committed. */
  readonly through: Promise<void>;
  readonly committed: Promise<void>;
}

function startHelper(help: (through: () => void) => Promise<void>): Helper {
  let committed = Promise.resolve();
  const through = new Promise<void>((resolve, reject) => {
    committed = help(resolve);
    committed.catch(reject);
  });
  return { through, committed };
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
