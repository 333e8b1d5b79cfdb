// What every use-case of the cut-over needs: control's row, and the gate and the clock of the cell. Reads only.
import type { CutoverFacts } from '../../domain/cutover/cutover.js';
import type { GateReading } from '../../domain/rollout/snapshot.js';
import { type Advice, mapAdvice } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type FreezeRow, readFreeze } from '../../stores/cell/batch/freezes.js';
import { type Gate, readGate } from '../../stores/cell/cutover/gate.js';
import { readCellClock } from '../../stores/cell/identity.js';
import type { DataCenterRow, DataCenterVersion, LastSeenGate, PinnedTimes } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

/** What a cut-over depends on in control. */
export type CutoverRow = DataCenterVersion & PinnedTimes & LastSeenGate & Pick<DataCenterRow, 'stage'>;

export interface CellCutover {
  readonly gate: Gate;
  readonly freeze: FreezeRow | null;
  /** By the cell's clock, which decides. */
  readonly now: Date;
}

/** Throws what the cell throws: a cell that cannot be read proves nothing about its gate. */
export function readCellCutover(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<CellCutover> {
  return context.cells.get(dataCenter).inTransaction('state', async (tx) => ({
    gate: await readGate(tx),
    freeze: await readFreeze(tx),
    now: await readCellClock(tx),
  }));
}

/** As of the later of both clocks. */
export function toCutoverFacts(
  { cutoverAt, cutoverLocal, notBeforeAt, notBeforeLocal }: PinnedTimes,
  controlNow: Date,
  { gate, now }: Pick<CellCutover, 'gate' | 'now'>,
): CutoverFacts {
  const later = now > controlNow ? now : controlNow;
  return { now: later, cutoverAt, cutoverLocal, notBeforeAt, notBeforeLocal, gate };
}

/** The gate as control saw it last, for a cell that cannot be read. */
export const toLastSeenGate = (row: LastSeenGate): GateReading => ({
  configuredAt: row.gateConfiguredAt,
  effectiveAt: row.gateEffectiveAt,
  latchedAt: row.gateLatchedAt,
  sweptAt: row.gateSweptAt,
});

/** The error for a rejection of the domain, with the commands of this data center. */
export const cutoverRefused = (
  dataCenter: string,
  verb: 'move' | 'be executed' | 'be reversed',
  { why, next }: { readonly why: string; readonly next?: string | Advice | undefined },
): RolloutError =>
  new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot ${verb}: ${why}.`,
    ...(next === undefined
      ? {}
      : { next: mapAdvice(next, (text) => text.replaceAll('--dc ID', `--dc ${dataCenter}`)) }),
  });
