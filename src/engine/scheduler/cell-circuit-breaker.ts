// A circuit breaker for each cell: a scheduler must not wait at every tick for a cell that does not answer, because
// that delays every other data center. While it is open, calls fail at once with the last error, and the breaker probes
// the cell by itself.
import { retryDelayMs } from '../../domain/rollout/retry-delay.js';
import type { Clock } from '../../kernel/clock.js';
import { withTimeout } from '../../kernel/retry.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { CellDirectory } from '../context.js';

/** A failure that comes sooner delays nobody, in ms: it does not open the breaker. */
const SLOW_MS = 1_000;
/** How long a transaction may take beyond its longest statement, in ms: the cell itself ends it long before. */
const TRANSACTION_MS = 30_000;

interface OpenBreaker {
  readonly error: unknown;
  readonly failures: number;
  readonly since: number;
  state: 'waiting' | 'probing';
}

/**
 * The same cells, each behind a breaker. A call that fails slowly because the cell is unreachable opens it; so does one
 * that gets no answer on an open connection, which is not waited for any longer: it may still commit, as any step may
 * run twice. Probes follow after 5 s, then less and less often, every 30 s at least. The first one that succeeds closes
 * it.
 */
export function withCircuitBreaker(cells: CellDirectory, clock: Clock): CellDirectory {
  const guarded = new Map<string, CellDatabase>();
  const guard = (id: string): CellDatabase => {
    const cell = guardCell(cells.get(id), clock);
    guarded.set(id, cell);
    return cell;
  };
  return { get: (id) => guarded.get(id) ?? guard(id) };
}

function guardCell(cell: CellDatabase, clock: Clock): CellDatabase {
  let open: OpenBreaker | undefined;
  const attempt = async <T>(act: () => Promise<T>, statementMs = 0): Promise<T> => {
    const began = clock.now().getTime();
    try {
      const answer = await rejectUnanswered(clock, statementMs + TRANSACTION_MS, act());
      open = undefined;
      return answer;
    } catch (error) {
      const since = clock.now().getTime();
      const slow = classifyFailure(error).kind === 'unreachable' && since - began >= SLOW_MS;
      open = slow ? { error, failures: (open?.failures ?? 0) + 1, since, state: 'waiting' } : undefined;
      throw error;
    }
  };
  const probe = (breaker: OpenBreaker): void => {
    breaker.state = 'probing';
    attempt(() => cell.inTransaction('fencer', async () => undefined)).catch(() => undefined);
  };
  return {
    ...cell,
    inTransaction: (role, fn, limits) => {
      if (open === undefined) return attempt(() => cell.inTransaction(role, fn, limits), limits?.statementMs);
      if (open.state === 'waiting' && isProbeDue(open, clock)) probe(open);
      return Promise.reject(open.error);
    },
  };
}

async function rejectUnanswered<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T> {
  const answer = await withTimeout(
    clock,
    ms,
    work.then((value) => ({ value })),
  );
  if (answer === undefined) throw Object.assign(new Error(`no answer in ${ms} ms`), { code: 'ETIMEDOUT' });
  return answer.value;
}

/** Also when the clock was set back. */
function isProbeDue({ failures, since }: OpenBreaker, clock: Clock): boolean {
  const passed = clock.now().getTime() - since;
  return passed < 0 || passed >= retryDelayMs(failures);
}
