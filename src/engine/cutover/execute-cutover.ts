// Latches a cut-over by hand, where no scheduler does. Never before its instant; a late or repeated command is
// harmless.
import { type CutoverFacts, type CutoverState, nameCutover, rejectExecution } from '../../domain/cutover/cutover.js';
import { advise, command } from '../../kernel/advice.js';
import { assertNever } from '../../kernel/assert-never.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { Gate } from '../../stores/cell/cutover/gate.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { sealCutover } from '../../stores/control/seals.js';
import type { EngineContext } from '../context.js';
import { getDataCenter, rejectChanged, type SeenRevision } from '../data-center.js';
import { recordGate } from './apply-gate-step.js';
import { type CutoverRow, cutoverRefused, readCellCutover, toCutoverFacts } from './cutover-facts.js';
import { armGate, latchGate, retryWhileBusy } from './gate.js';

export interface ExecutionRequest extends SeenRevision {
  readonly dataCenter: string;
  readonly reason: string | null;
}

export interface ExecutionReport {
  readonly dataCenter: string;
  /** `latched` now; `already` before; `busy`: sign-ups that asked the gate have not ended. */
  readonly outcome: 'latched' | 'already' | 'busy';
  readonly effectiveAt: Date | null;
  readonly latchedAt: Date | null;
  readonly holders: readonly LockHolder[];
}

interface Executable {
  readonly row: CutoverRow & { readonly revision: number };
  readonly facts: CutoverFacts;
  readonly gate: Gate;
}

/** What `executeCutover` would start from. Throws cutover_refused with the reason. Changes nothing. */
export async function previewExecution(
  context: Pick<EngineContext, 'control' | 'cells'>,
  dataCenter: string,
): Promise<{
  readonly state: CutoverState;
  readonly cutoverLocal: string | null;
  readonly gate: Gate;
  readonly revision: number;
}> {
  const { row, facts, gate } = await getExecutable(context, dataCenter);
  return { state: nameCutover(facts), cutoverLocal: row.cutoverLocal, gate, revision: row.revision };
}

/**
 * Throws revision_changed; cutover_refused before the instant, while the data center is not done, and while its cell is
 * frozen.
 */
export async function executeCutover(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor' | 'wakeUps' | 'clock'>,
  { dataCenter, reason, ...seen }: ExecutionRequest,
): Promise<ExecutionReport> {
  const { row, facts, gate } = await getExecutable(context, dataCenter, seen);
  if (gate.latchedAt !== null) return { ...toReport(dataCenter, gate), outcome: 'already' };
  if (nameCutover(facts) === 'late') {
    const seal = await context.control.inTransaction((tx) => sealCutover(tx, dataCenter));
    if (seal === undefined) throw cutoverRefused(dataCenter, 'be executed', { why: 'it has no instant' });
    const armed = await armGate(context, dataCenter, seal);
    if (armed.kind === 'busy') return { ...toReport(dataCenter, gate), outcome: 'busy', holders: armed.holders };
  }
  return latchWithRetries(context, row, reason);
}

async function getExecutable(
  context: Pick<EngineContext, 'control' | 'cells'>,
  dataCenter: string,
  seen: SeenRevision = {},
): Promise<Executable> {
  const { row, now } = await context.control.inTransaction(async (tx) => ({
    row: await getDataCenter(tx, dataCenter),
    now: await readControlClock(tx),
  }));
  rejectChanged(row, seen);
  const cell = await readCellCutover(context, dataCenter);
  // about an armed gate the cell's clock decides alone; control's counts only where nothing is armed
  const facts = toCutoverFacts(row, cell.gate.effectiveAt === null ? now : cell.now, cell);
  const rejection = rejectExecution(facts, row.stage);
  if (rejection !== undefined) throw cutoverRefused(dataCenter, 'be executed', rejection);
  if (cell.freeze !== null && cell.gate.latchedAt === null) throw frozen(dataCenter);
  return { row, facts, gate: cell.gate };
}

const frozen = (dataCenter: string): RolloutError =>
  new RolloutError('cutover_refused', {
    message:
      `The cut-over of data center "${dataCenter}" cannot be executed: its cell is frozen. Sign-ups start on ` +
      'credits all the same.',
    next: advise`Run: ${command`unfreeze --dc ${dataCenter}`}`,
  });

const toReport = (dataCenter: string, { effectiveAt, latchedAt }: Gate): Omit<ExecutionReport, 'outcome'> => ({
  dataCenter,
  effectiveAt,
  latchedAt,
  holders: [],
});

/** Once a second, as the scheduler does: one long wait would stall every new sign-up behind one that stays open. */
const PAUSE_MS = 1_000;

async function latchWithRetries(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor' | 'wakeUps' | 'clock'>,
  row: CutoverRow,
  reason: string | null,
): Promise<ExecutionReport> {
  const outcome = await retryWhileBusy(context.clock, PAUSE_MS, () => latchGate(context, row.id));
  switch (outcome.kind) {
    case 'latched':
      await recordGate(context, row, outcome.gate, { action: 'cutover', reason });
      await context.wakeUps.wakeSchedulers();
      return { ...toReport(row.id, outcome.gate), outcome: 'latched' };
    case 'not_due':
      throw cutoverRefused(row.id, 'be executed', {
        why: "its instant has not come by the cell's clock",
        next: 'Run the command again when it has.',
      });
    case 'busy':
      return { dataCenter: row.id, outcome: 'busy', effectiveAt: null, latchedAt: null, holders: outcome.holders };
    default:
      return assertNever(outcome);
  }
}
