// Arms and disarms the sign-up gate of one cell. Decides nothing: the cell's clock and row say whether it is too late.
import {
  armGate as arm,
  type ConfiguredCutover,
  disarmGate as disarm,
  type Gate,
} from '../../stores/cell/cutover/gate.js';
import type { EngineContext } from '../context.js';
import { changeGate, type GateBusy } from './gate.js';

export type ArmOutcome = { readonly kind: 'armed' | 'too_late'; readonly gate: Gate } | GateBusy;
export type DisarmOutcome = { readonly kind: 'disarmed' | 'too_late'; readonly gate: Gate } | GateBusy;

/** For the later of the configured instant and now. `too_late`: it was armed, and its instant is over. */
export function armGate(
  context: Pick<EngineContext, 'cells'>,
  { dataCenter, ...cutover }: ConfiguredCutover & { readonly dataCenter: string },
): Promise<ArmOutcome> {
  return changeGate(context, dataCenter, (tx) => arm(tx, cutover));
}

/** `too_late`: its instant is over, and sign-ups start on credits. */
export function disarmGate(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<DisarmOutcome> {
  return changeGate(context, dataCenter, disarm);
}
