// What a verb of the cut-over must know: control's row, and the gate and the clock of its cell. Reads only.
import type { CutoverFacts } from '../../domain/cutover/cutover.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type FreezeRow, readFreeze } from '../../stores/cell/batch/freezes.js';
import { type Gate, readGate } from '../../stores/cell/cutover/gate.js';
import { readCellClock } from '../../stores/cell/identity.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

export interface CellCutover {
  readonly gate: Gate;
  readonly freeze: FreezeRow | null;
  /** By the cell's clock, which decides. */
  readonly now: Date;
}

/** Throws what the cell throws: a cell that cannot be read proves nothing about its gate. */
export function readCellCutover(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<CellCutover> {
  return context.cells.get(dataCenter).inTransaction('fencer', async (tx) => ({
    gate: await readGate(tx),
    freeze: await readFreeze(tx),
    now: await readCellClock(tx),
  }));
}

export function toFacts(
  row: Pick<DataCenterRow, 'cutoverAt' | 'cutoverLocal' | 'notBeforeAt' | 'notBeforeLocal'>,
  controlNow: Date,
  { gate, now }: Pick<CellCutover, 'gate' | 'now'>,
): CutoverFacts {
  const { cutoverAt, cutoverLocal, notBeforeAt, notBeforeLocal } = row;
  const later = now > controlNow ? now : controlNow;
  return { now: later, cutoverAt, cutoverLocal, notBeforeAt, notBeforeLocal, gate };
}

/** Throws nothing: makes the error, with the way out for this data center. */
export const cutoverRefused = (
  dataCenter: string,
  verb: 'move' | 'be executed' | 'be reversed',
  { why, next }: { readonly why: string; readonly next?: string | undefined },
): RolloutError =>
  new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot ${verb}: ${why}.`,
    ...(next === undefined ? {} : { next: next.replaceAll('--dc ID', `--dc ${dataCenter}`) }),
  });
