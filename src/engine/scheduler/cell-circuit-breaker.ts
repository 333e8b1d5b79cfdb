// Keeps a scheduler from waiting again and again for a cell that does not answer: it delays every other data center. Never
// makes up an answer: what it says is the last failure, and it asks on its own until the cell is there again.
import { retryDelayMs } from '../../domain/rollout/retry-delay.js';
import type { Clock } from '../../kernel/clock.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { CellDirectory } from '../context.js';

/** A refusal that comes sooner delays nobody, in ms: such a cell is asked every time. */
const SLOW_MS = 1_000;

interface Absence {
  readonly error: unknown;
  readonly failures: number;
  readonly since: number;
  state: 'left_alone' | 'asked';
}

/**
 * The same cells. One that could not be reached, and took long to say so, fails at once with the same error, while it is
 * asked behind the back of who calls: after 5 s, then less and less often, every 30 s at least. The first answer ends it.
 */
export function withCircuitBreaker(cells: CellDirectory, clock: Clock): CellDirectory {
  const spared = new Map<string, CellDatabase>();
  const spare = (id: string): CellDatabase => {
    const cell = guardCell(cells.get(id), clock);
    spared.set(id, cell);
    return cell;
  };
  return { get: (id) => spared.get(id) ?? spare(id) };
}

function guardCell(cell: CellDatabase, clock: Clock): CellDatabase {
  let absence: Absence | undefined;
  const attempt = async <T>(act: () => Promise<T>): Promise<T> => {
    const began = clock.now().getTime();
    try {
      const answer = await act();
      absence = undefined;
      return answer;
    } catch (error) {
      const since = clock.now().getTime();
      const slow = classifyFailure(error).kind === 'unreachable' && since - began >= SLOW_MS;
      absence = slow ? { error, failures: (absence?.failures ?? 0) + 1, since, state: 'left_alone' } : undefined;
      throw error;
    }
  };
  const askAgain = (known: Absence): void => {
    known.state = 'asked';
    attempt(() => cell.inTransaction('fencer', async () => undefined)).catch(() => undefined);
  };
  return {
    ...cell,
    inTransaction: (role, fn, limits) => {
      if (absence === undefined) return attempt(() => cell.inTransaction(role, fn, limits));
      if (absence.state === 'left_alone' && isOver(absence, clock)) askAgain(absence);
      return Promise.reject(absence.error);
    },
  };
}

/** A clock that was set back ends it too. */
function isOver({ failures, since }: Absence, clock: Clock): boolean {
  const passed = clock.now().getTime() - since;
  return passed < 0 || passed >= retryDelayMs(failures);
}
