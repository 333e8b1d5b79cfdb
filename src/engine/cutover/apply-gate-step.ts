// Carries out what was decided about a sign-up gate, and remembers in control what the cell then says: the cell is the truth.
import type { Step } from '../../domain/rollout/decide-step.js';
import type { Gate } from '../../stores/cell/cutover/gate.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterRow, lockDataCenter, transitionDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { armGate, disarmGate, latchGate } from './gate.js';

type GateStep = Extract<Step, { readonly kind: 'arm_gate' | 'disarm_gate' | 'latch_gate' }>;

/** What the audit calls it once it has happened. */
const ACTIONS = { armed: 'arm_gate', disarmed: 'disarm_gate', latched: 'cutover' } as const;

/** False when a sign-up that has not ended holds the gate: it is tried again at the next look. */
export async function applyGateStep(context: EngineContext, row: DataCenterRow, step: GateStep): Promise<boolean> {
  const outcome = await change(context, row, step);
  if (outcome.kind === 'outrun') return false;
  if (outcome.kind === 'busy') {
    const [holder] = outcome.holders;
    context.log.info('gate_busy', { data_center: row.id, pid: holder?.pid ?? null, since: holder?.since ?? null });
    return false;
  }
  // `too_late` and `not_due`: the cell's clock says otherwise, and is remembered too
  const action = outcome.kind === 'too_late' || outcome.kind === 'not_due' ? undefined : ACTIONS[outcome.kind];
  await rememberGate(context, row, outcome.gate, { action, reason: step.reason });
  return action !== undefined;
}

async function change(context: EngineContext, row: DataCenterRow, { kind }: GateStep) {
  switch (kind) {
    case 'arm_gate':
      return unchanged(context, row, ({ id, cutoverAt, cutoverLocal }) =>
        armGate(context, {
          dataCenter: id,
          configuredAt: cutoverAt ?? new Date(Number.NaN),
          configuredLocal: cutoverLocal ?? '',
        }),
      );
    case 'disarm_gate':
      return unchanged(context, row, ({ id }) => disarmGate(context, id));
    case 'latch_gate':
      return latchGate(context, row.id);
  }
}

/**
 * Under the row's lock, and only while it is as it was seen: a scheduler that was asleep must not arm an instant that was
 * postponed meanwhile, nor what is no longer verified. Once it has passed, an instant is never taken back.
 */
async function unchanged<T>(
  { control }: EngineContext,
  row: DataCenterRow,
  act: (row: DataCenterRow) => Promise<T>,
): Promise<T | typeof OUTRUN> {
  return control.inTransaction(async (tx) => {
    const now = await lockDataCenter(tx, row.id);
    return now?.version === row.version ? act(now) : OUTRUN;
  });
}

const OUTRUN = { kind: 'outrun' } as const;

/** Writes control's copy of a gate, with an audit row when something was done to it. */
export async function rememberGate(
  context: Pick<EngineContext, 'control' | 'actor'>,
  row: DataCenterRow,
  gate: Gate,
  { action, reason }: { readonly action: string | undefined; readonly reason: string | null },
): Promise<void> {
  const known = {
    gateConfiguredAt: gate.configuredAt,
    gateEffectiveAt: gate.effectiveAt,
    gateLatchedAt: gate.latchedAt,
    gateSweptAt: gate.sweptAt,
  };
  const changed = (Object.keys(known) as (keyof typeof known)[]).some(
    (key) => known[key]?.getTime() !== row[key]?.getTime(),
  );
  if (!changed && action === undefined) return;
  await context.control.inTransaction(async (tx) => {
    await transitionDataCenter(tx, row, known);
    if (action === undefined) return;
    const details = { configured: gate.configuredLocal, effective_at: gate.effectiveAt, latched_at: gate.latchedAt };
    await appendAudit(tx, { actor: context.actor, action, dataCenter: row.id, reason, details });
  });
}
