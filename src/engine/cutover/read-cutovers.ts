// The cut-over of data centers, for people: its instant, its gate as the cell has it, and what was proposed. Reads
// only.
import { type CutoverState, nameCutover } from '../../domain/cutover/cutover.js';
import type { GateReading } from '../../domain/rollout/snapshot.js';
import type { Stage } from '../../domain/rollout/stage.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { listGateHolders } from '../../stores/cell/cutover/gate.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { type CutoverProposal, listCutoverProposals } from '../../stores/control/cutover-proposals.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { unknownDataCenter } from '../data-center.js';
import { explainFailure } from '../database-errors.js';
import { type CutoverRow, readCellCutover, toCutoverFacts, toLastSeenGate } from './cutover-facts.js';

export interface CutoverReport {
  readonly dataCenter: string;
  readonly zone: string;
  readonly stage: Stage;
  readonly state: CutoverState;
  /** By the cell's clock, or by control's where the cell cannot be read. */
  readonly now: Date;
  readonly cutoverAt: Date | null;
  readonly cutoverLocal: string | null;
  readonly gate: GateReading;
  /** Error code when the cell cannot be read: the gate is then as control saw it last; null: it was read. */
  readonly unreachable: string | null;
  /** Sign-ups that the latch waits for; empty unless it is due. */
  readonly holders: readonly LockHolder[];
  /** Every proposal to postpone it, the oldest first. */
  readonly postponements: readonly CutoverProposal[];
  /** Every proposal to reverse it, the oldest first. */
  readonly reversals: readonly CutoverProposal[];
}

/** In the given order. Throws unknown_data_center. */
export async function readCutovers(
  context: Pick<EngineContext, 'control' | 'cells'>,
  dataCenters: readonly string[],
): Promise<readonly CutoverReport[]> {
  const { now, rows, ...proposed } = await context.control.inTransaction(async (tx) => ({
    now: await readControlClock(tx),
    rows: await listDataCenters(tx),
    postponements: await listCutoverProposals(tx, 'postponement'),
    reversals: await listCutoverProposals(tx, 'reversal'),
  }));
  return Promise.all(
    dataCenters.map((id) => {
      const row = rows.find((candidate) => candidate.id === id);
      if (row === undefined) throw unknownDataCenter(id);
      return readOne(context, row, now, {
        postponements: proposed.postponements.filter(({ dataCenter }) => dataCenter === id),
        reversals: proposed.reversals.filter(({ dataCenter }) => dataCenter === id),
      });
    }),
  );
}

async function readOne(
  context: Pick<EngineContext, 'cells'>,
  row: CutoverRow & Pick<CutoverReport, 'zone'>,
  controlNow: Date,
  proposed: Pick<CutoverReport, 'postponements' | 'reversals'>,
): Promise<CutoverReport> {
  const { id: dataCenter, zone, stage, cutoverAt, cutoverLocal } = row;
  const known = { dataCenter, zone, stage, cutoverAt, cutoverLocal, ...proposed };
  try {
    const cell = await readCellCutover(context, dataCenter);
    const state = nameCutover(toCutoverFacts(row, cell.now, cell));
    const holders = state === 'due' ? await context.cells.get(dataCenter).inTransaction('state', listGateHolders) : [];
    return { ...known, state, now: cell.now, gate: cell.gate, unreachable: null, holders };
  } catch (error) {
    const explained = explainFailure(error);
    if (!isRolloutError(explained)) throw error;
    const gate = toLastSeenGate(row);
    const state = nameCutover({ now: controlNow, cutoverAt, cutoverLocal, gate });
    return { ...known, state, now: controlNow, gate, unreachable: explained.code, holders: [] };
  }
}
