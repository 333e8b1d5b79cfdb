// Decides about the sign-up gate of one data center: armed once it is verified and baked, disarmed when it loses that,
// latched at its instant. Pure. Sign-ups never wait for any of this: they ask the cell's row and the cell's clock.
import { type Decision, go, hold, IDLE, type ReadCell } from './decision.js';
import { byCommand, byWaiting, createHold, type Hold } from './hold.js';
import type { DataCenterSnapshot, GateReading, Snapshot } from './snapshot.js';
import { RESTING_STAGES } from './stage.js';

/** What to do about its gate now, or why nothing can be done. */
export function decideGate(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  const late = listLate(snapshot, dc);
  if (dc.cell?.kind !== 'read' || dc.cutoverAt === null) return hold(...late);
  const { gate, freeze } = dc.cell;
  if (gate.latchedAt !== null) return IDLE;
  const begun = hasBegun(gate, snapshot.now);
  if (dc.stage !== 'done')
    return gate.effectiveAt !== null && !begun
      ? go({ kind: 'disarm_gate', reason: 'the data center is no longer verified' })
      : hold(...late);
  if (freeze !== null) return IDLE;
  if (begun)
    return {
      steps: [{ kind: 'latch_gate', reason: 'its instant has come' }],
      holds: dc.cell.gateHolder === null ? [] : [busy(dc.cell.gateHolder)],
    };
  if (gate.effectiveAt === null) return go({ kind: 'arm_gate', reason: 'the data center is verified and baked' });
  return gate.configuredAt?.getTime() === dc.cutoverAt.getTime()
    ? IDLE
    : go({ kind: 'arm_gate', reason: 'its instant was moved' });
}

/** Whether the gate's answer depends on the cell: else it need not be read for it. */
export function isGateDue({ stage, cutoverAt, knownGate }: DataCenterSnapshot, now: Date): boolean {
  if (cutoverAt === null || knownGate.latchedAt !== null) return false;
  if (hasBegun(knownGate, now)) return true;
  const armed = knownGate.effectiveAt !== null;
  return stage === 'done' ? !armed || knownGate.configuredAt?.getTime() !== cutoverAt.getTime() : armed;
}

const busy = ({ pid, since }: NonNullable<ReadCell['gateHolder']>): Hold =>
  createHold(
    'gate_busy',
    byWaiting('it ends with that session'),
    `pid ${pid ?? 'of a prepared transaction'}`,
    since?.toISOString() ?? null,
  );

/** From here on sign-ups start on credits, latched or not. */
const hasBegun = (gate: GateReading, now: Date): boolean => gate.effectiveAt !== null && gate.effectiveAt <= now;

/** The configured instant is over, and there is nothing that the cut-over could happen to. */
function listLate({ now }: Snapshot, dc: DataCenterSnapshot): readonly Hold[] {
  const rests = RESTING_STAGES.includes(dc.stage) && dc.stage !== 'done' && !dc.requested;
  if (!rests || dc.cutoverAt === null || dc.cutoverAt > now || dc.knownGate.latchedAt !== null) return [];
  return [
    createHold(
      'cutover_late',
      byCommand('apply', '--dc', dc.id, '--execute'),
      now.toISOString(),
      dc.cutoverLocal ?? dc.cutoverAt.toISOString(),
    ),
  ];
}
