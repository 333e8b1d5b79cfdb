// Asks databases with a time limit: one that does not answer in time does not delay the answers of the others. What is
// late is ignored.
import type { Clock } from '../../kernel/clock.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import type { ControlDatabase } from '../../stores/control/control-database.js';
import { type FailureSubject, withSubject } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { readStatus, type Status } from './read-status.js';

const CONTROL: FailureSubject = { title: 'The control database', kind: 'control' };

/**
 * The status within about `ms`, whatever does not answer: a cell that does not is shown as one that cannot be reached.
 * Throws database_unreachable where control does not answer either.
 */
export async function readStatusWithin(context: EngineContext, ms: number): Promise<Status> {
  // control is asked again after the cells
  return askWithinTime(context, { cellsMs: ms * CELLS_SHARE, controlMs: ms }, readStatus);
}

const CELLS_SHARE = 0.8;

/** How long each kind of database may take, in ms, all of its calls together. */
interface AnswerLimits {
  readonly cellsMs: number;
  readonly controlMs: number;
}

/** Runs `ask` with databases whose calls fail, as of one that cannot be reached, once the time is over. */
async function askWithinTime<T>(
  context: EngineContext,
  { cellsMs, controlMs }: AnswerLimits,
  ask: (limited: EngineContext) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const ofCells = createDeadline(context.clock, cellsMs, ended.signal);
  const ofControl = createDeadline(context.clock, controlMs, ended.signal);
  const limitCell = (cell: CellDatabase): CellDatabase => ({
    ...cell,
    inTransaction: (...args) => ofCells(() => cell.inTransaction(...args)),
  });
  const control: ControlDatabase = {
    ...context.control,
    inTransaction: (fn) => withSubject(CONTROL, () => ofControl(() => context.control.inTransaction(fn))),
  };
  try {
    return await ask({ ...context, control, cells: { get: (id) => limitCell(context.cells.get(id)) } });
  } finally {
    ended.abort();
  }
}

type Deadline = <T>(act: () => Promise<T>) => Promise<T>;

function createDeadline(clock: Clock, ms: number, ended: AbortSignal): Deadline {
  let isOver = false;
  const late = (): Error => Object.assign(new Error(`no answer in ${ms} ms`), { code: 'ETIMEDOUT' });
  const over = clock.sleep(ms, ended).then(() => {
    if (ended.aborted) return new Promise<never>(() => undefined);
    isOver = true;
    throw late();
  });
  over.catch(() => undefined);
  return (act) => (isOver ? Promise.reject(late()) : Promise.race([act(), over]));
}
