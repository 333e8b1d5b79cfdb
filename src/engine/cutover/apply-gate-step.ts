// Executes what the scheduler decided about a sign-up gate, and records in control the gate as the cell then has it.
// Where they differ, the cell is right.
import type { AuditAction } from '../../domain/operate/audit-action.js';
import type { Step } from '../../domain/rollout/decide-rollout.js';
import type { Gate } from '../../stores/cell/cutover/gate.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import {
  type DataCenterVersion,
  type LastSeenGate,
  lockDataCenter,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { sealCutover } from '../../stores/control/seals.js';
import type { EngineContext } from '../context.js';
import { type ArmOutcome, armGate, type DisarmOutcome, disarmGate, type LatchOutcome, latchGate } from './gate.js';

type GateStep = Extract<Step, { readonly kind: 'arm_gate' | 'disarm_gate' | 'latch_gate' }>;

const VERSION_CONFLICT = { kind: 'version_conflict' } as const;

type StepOutcome = ArmOutcome | DisarmOutcome | LatchOutcome | typeof VERSION_CONFLICT;

/** The action that the audit records once it has happened. */
const ACTIONS = { armed: 'arm_gate', disarmed: 'disarm_gate', latched: 'cutover' } as const;

/** False when nothing was done: the row changed, a sign-up holds the gate, or the cell's clock differs. */
export async function applyGateStep(
  context: EngineContext,
  row: DataCenterVersion & LastSeenGate,
  step: GateStep,
): Promise<boolean> {
  const outcome = await applyGateChange(context, row, step);
  if (outcome.kind === 'version_conflict') return false;
  if (outcome.kind === 'busy') {
    const [holder] = outcome.holders;
    context.log.info('gate_busy', { data_center: row.id, pid: holder?.pid ?? null, since: holder?.since ?? null });
    return false;
  }
  // after `too_late` and `not_due` the gate is recorded too: the cell's clock differs from ours
  const action = outcome.kind === 'too_late' || outcome.kind === 'not_due' ? undefined : ACTIONS[outcome.kind];
  await recordGate(context, row, outcome.gate, { action, reason: step.reason });
  return action !== undefined;
}

async function applyGateChange(
  context: EngineContext,
  row: DataCenterVersion,
  { kind }: GateStep,
): Promise<StepOutcome> {
  const dataCenter = row.id;
  switch (kind) {
    case 'arm_gate':
      return whileUnchanged(context, row, async (tx) => {
        const seal = await sealCutover(tx, dataCenter);
        return seal === undefined ? VERSION_CONFLICT : armGate(context, dataCenter, seal);
      });
    case 'disarm_gate':
      return whileUnchanged(context, row, () => disarmGate(context, dataCenter));
    case 'latch_gate':
      return latchGate(context, dataCenter);
  }
}

/**
 * Under the row's lock, and only while it has the version that was read: a scheduler that was asleep must not arm an
 * instant that was postponed meanwhile, nor a data center that is no longer verified. Once its instant has passed, an
 * arming cannot be taken back.
 */
async function whileUnchanged<T>(
  { control }: EngineContext,
  { id, version }: DataCenterVersion,
  change: (tx: ControlTransaction) => Promise<T>,
): Promise<T | typeof VERSION_CONFLICT> {
  return control.inTransaction(async (tx) => {
    const row = await lockDataCenter(tx, id);
    return row?.version === version ? change(tx) : VERSION_CONFLICT;
  });
}

/** Writes control's copy of a gate; with an audit row when something was done to it. */
export async function recordGate(
  context: Pick<EngineContext, 'control' | 'actor'>,
  row: DataCenterVersion & LastSeenGate,
  gate: Gate,
  { action, reason }: { readonly action: AuditAction | undefined; readonly reason: string | null },
): Promise<void> {
  const seen: LastSeenGate = {
    gateConfiguredAt: gate.configuredAt,
    gateEffectiveAt: gate.effectiveAt,
    gateLatchedAt: gate.latchedAt,
    gateSweptAt: gate.sweptAt,
  };
  const changed = (Object.keys(seen) as (keyof LastSeenGate)[]).some(
    (key) => seen[key]?.getTime() !== row[key]?.getTime(),
  );
  if (!changed && action === undefined) return;
  await context.control.inTransaction(async (tx) => {
    await transitionDataCenter(tx, row, seen);
    if (action === undefined) return;
    const details = { configured: gate.configuredLocal, effective_at: gate.effectiveAt, latched_at: gate.latchedAt };
    await appendAudit(tx, { action, dataCenter: row.id, reason, details });
  });
}
