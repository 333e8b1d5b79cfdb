// One look of a scheduler: read what is, decide, take the step, look again; ends when nothing more is due.
import { decideDataCenter } from '../domain/rollout/decide-data-center.js';
import type { Step } from '../domain/rollout/decision.js';
import { isRolloutError } from '../kernel/rollout-error.js';
import type { DataCenterRow } from '../stores/control/data-centers.js';
import { saveHolds } from '../stores/control/holds.js';
import { saveSchedulerSeen } from '../stores/control/schedulers.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import { carryOutStep } from './carry-out-step.js';
import type { EngineContext } from './context.js';
import { keepCalendar } from './keep-calendar.js';
import { readSnapshot } from './read-snapshot.js';

/** More than any chain of steps needs; the next tick goes on. */
const MOST_LOOKS = 40;

/** Takes every step that is due now. Safe to run in several schedulers at once. Returns how many steps were taken. */
export async function tick(context: EngineContext, schedulerId?: string): Promise<number> {
  if (schedulerId !== undefined) await context.control.inTransaction((tx) => saveSchedulerSeen(tx, schedulerId));
  let taken = 0;
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const moved = await takeDueSteps(context);
    if (moved === 0) return taken;
    taken += moved;
  }
  return taken;
}

async function takeDueSteps(context: EngineContext): Promise<number> {
  const snapshot = await readSnapshot(context, 'due');
  let moved = 0;
  for (const dc of snapshot.dataCenters) {
    const row = snapshot.rows.get(dc.id);
    if (row === undefined) continue;
    const decision = decideDataCenter(snapshot, dc);
    await context.control.inTransaction((tx) => saveHolds(tx, dc.id, decision.holds));
    moved += await keepCalendar(context, { dc, row, holds: decision.holds, now: snapshot.now });
    for (const step of decision.steps) if (await attempt(context, row, step, snapshot.now)) moved += 1;
    // a step changes what the later data centers may do: look again before deciding on them
    if (moved > 0) return moved;
  }
  return moved;
}

/** A failing step never stops the scheduler: the cause is logged by code, the next tick tries again. */
async function attempt(context: EngineContext, row: DataCenterRow, step: Step, now: Date): Promise<boolean> {
  try {
    const moved = await carryOutStep(context, row, step, now);
    if (moved) context.log.info('step', { data_center: row.id, step: step.kind, reason: step.reason });
    return moved;
  } catch (error) {
    const failure = classifyFailure(error);
    const code = isRolloutError(error) ? error.code : (failure.sqlstate ?? failure.kind);
    context.log.warn('step_failed', { data_center: row.id, step: step.kind, code, object: failure.object });
    return false;
  }
}
