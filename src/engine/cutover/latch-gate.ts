// Latches the sign-up gate of one cell, for good, at or after its instant. Late is harmless: sign-ups have started on
// credits by the cell's clock alone.
import { type Gate, latchGate as latch } from '../../stores/cell/cutover/gate.js';
import type { EngineContext } from '../context.js';
import { changeGate, type GateBusy } from './gate.js';

export type LatchOutcome = { readonly kind: 'latched' | 'not_due'; readonly gate: Gate } | GateBusy;

/** `busy`: a sign-up that asked has not ended; try again in a second. Throws what `explainFailure` makes of other failures. */
export function latchGate(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<LatchOutcome> {
  return changeGate(context, dataCenter, latch);
}
