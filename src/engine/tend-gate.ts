// Carries out what was decided about a sign-up gate, and remembers in control what the cell then says. The cell is the truth.
import type { Step } from '../domain/rollout/decide-step.js';
import type { GateReading } from '../domain/rollout/snapshot.js';
import { appendAudit } from '../stores/control/audit.js';
import { type DataCenterRow, transitionDataCenter } from '../stores/control/data-centers.js';
import { armGate, disarmGate } from './arm-gate.js';
import type { EngineContext } from './context.js';
import { latchGate } from './latch-gate.js';

type GateStep = Extract<Step, { readonly kind: 'arm_gate' | 'disarm_gate' | 'latch_gate' }>;

/** False when the gate is held by a sign-up that has not ended, or its instant has not come by the cell's clock. */
export async function tendGate(context: EngineContext, row: DataCenterRow, step: GateStep): Promise<boolean> {
  const gate = await carryOut(context, row, step);
  if (gate === undefined) return false;
  return rememberGate(context, row, gate, step);
}
