// A function of the server that some providers switch off or leave out, though the engine cannot do without it: which
// one the server refused, as an error of its own. The code of a view is not called here: the SQLSTATE is the server's.
import { classifyFailure } from './postgres-failure.js';

/** Not in the state that it needs, not supported, no such function. */
const REFUSED: readonly (string | undefined)[] = ['55000', '0A000', '42883'];

export class RefusedFunction extends Error {
  /** With its brackets, such as `pg_control_system()`. */
  readonly called: string;
  readonly sqlstate: string;

  constructor(called: string, sqlstate: string, cause: unknown) {
    super(`${called} was refused`, { cause });
    this.called = called;
    this.sqlstate = sqlstate;
  }
}

/** Throws RefusedFunction where the server refuses `called` in `ask`; another failure stays as it is. */
export async function askServer<T>(called: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { sqlstate } = classifyFailure(error);
    if (sqlstate === undefined || !REFUSED.includes(sqlstate)) throw error;
    throw new RefusedFunction(called, sqlstate, error);
  }
}
