// Refuses the database that a cell was copied from when it moved, which has the identity of the cell: what is read
// there is old, and what is written there is lost.
import { type Advice, advise, command } from '../kernel/advice.js';
import { withTimeout } from '../kernel/retry.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { CellDatabase, CellTransaction } from '../stores/cell/cell-database.js';
import { adviseMoved } from '../stores/cell/identity.js';
import { hasAdoption } from '../stores/cell/setup/adoption.js';
import type { AdoptedPlace } from '../stores/control/cell-proposals.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { CellDirectory, EngineContext } from './context.js';
import { getDataCenter } from './data-center.js';

const CONTROL_MS = 1_000;

type Asked = Pick<EngineContext, 'control' | 'cells' | 'clock'>;

/** What two people adopted last. Null: nothing, or control does not answer: what cannot be asked is not refused. */
async function findAdoption({ control, clock }: Asked, dataCenter: string): Promise<string | null> {
  const asked = control.inTransaction((tx) => getDataCenter(tx, dataCenter)).catch(() => undefined);
  return (await withTimeout(clock, CONTROL_MS, asked))?.adoption ?? null;
}

export const leftBehind = (dataCenter: string): RolloutError =>
  new RolloutError('wrong_cell', {
    message:
      `The database configured for data center "${dataCenter}" was left behind when its cell moved: ` +
      'two people adopted another copy of it.',
    next: adviseMoved(dataCenter),
  });

/** Where the configuration of who still has the old URL must lead. */
export function adviseAdopted(dataCenter: string, { databaseName, systemIdentifier }: AdoptedPlace): Advice {
  const place =
    databaseName === null || systemIdentifier === null
      ? 'of the copy that was adopted'
      : `of database "${databaseName}" on the server with the system identifier ${systemIdentifier}`;
  return advise`Put the URL ${place} into the configuration; if this copy is meant, run: ${command`adopt-cell --dc ${dataCenter}`}`;
}

/** The same cells, of which each is asked before its first transaction whether it was left behind: for a command. */
export function guardCells(context: Asked): CellDirectory {
  const guarded = new Map<string, CellDatabase>();
  return {
    get: (id) => {
      const cell = guarded.get(id) ?? guardCell(context, context.cells.get(id));
      guarded.set(id, cell);
      return cell;
    },
  };
}

/** They read nothing of a person's command, and no GRANT lets them ask. */
const UNASKED: readonly string[] = ['worker', 'meter'];

function guardCell(context: Asked, cell: CellDatabase): CellDatabase {
  const { dataCenter } = cell;
  let adoption: Promise<string | null> | undefined;
  let checked = false;
  const check = async (ask: (fn: (tx: CellTransaction) => Promise<boolean>) => Promise<boolean>): Promise<void> => {
    if (checked) return;
    adoption ??= findAdoption(context, dataCenter);
    const known = await adoption;
    if (known !== null && !(await ask((tx) => hasAdoption(tx, known)))) throw leftBehind(dataCenter);
    checked = true;
  };
  return {
    ...cell,
    inTransaction: async (role, fn, limits) => {
      if (!UNASKED.includes(role)) await check((ask) => cell.inTransaction(role, ask, { source: 'unread' }));
      return cell.inTransaction(role, fn, limits);
    },
    asOwner: async (fn) => {
      await check((ask) => cell.asOwner(ask).catch(passUnasked));
      return cell.asOwner(fn);
    },
  };
}

/** Where there is no schema yet, or not this function, and where the login may not ask. */
function passUnasked(error: unknown): boolean {
  const { kind } = classifyFailure(error);
  if (kind === 'missing' || kind === 'not_permitted') return true;
  throw error;
}
