// How often what came about, so that nobody takes empty schedules for a proof.
import { SLOT_STAGES, type Stage } from '../../../src/domain/rollout/stage.js';
import type { CellState } from './cell-state.js';
import type { ControlState } from './control-state.js';

export type WorldCounts = Map<string, number>;

export const addCount = (counts: WorldCounts, what: string, by = 1): void =>
  void (by > 0 && counts.set(what, (counts.get(what) ?? 0) + by));

/** Beside what happens: a long run in which one of these never came about is no proof. */
export const CAME_ABOUT = [
  ...['rollouts and undos begun', 'rollouts verified', 'rollouts finished', 'undos finished', 'runs failed'],
  ...['rollouts aborted', 'rollouts begun again by the auditor', 'nights ended', 'sweeps ended', 'approvals'],
  ...['plans made', 'fences opened', 'batches done', 'orgs rolled out', 'orgs undone', 'orgs raised by the feed'],
  ...['orgs healed by a night or a sweep', 'sign-ups that got credits at once', 'sign-ups on credits'],
  ...['sign-ups on legacy', 'freezes', 'gates armed', 'cut-overs latched', 'answers lost', 'databases out of reach'],
  ...['commits of the dead', 'transactions broken off', 'commits lost', 'lock time-outs'],
] as const;

const REACHED: Partial<Readonly<Record<Stage, string>>> = {
  baking: 'rollouts verified',
  done: 'rollouts finished',
  undone: 'undos finished',
  failed: 'runs failed',
  aborted: 'rollouts aborted',
  pending: 'rollouts begun again by the auditor',
};

const ENDED: Readonly<Record<string, string>> = { reconcile: 'nights ended', sweep: 'sweeps ended' };

export function countControl(counts: WorldCounts, before: ControlState, after: ControlState): void {
  if (before.dataCenters !== after.dataCenters)
    after.dataCenters.forEach((row, n) => {
      const old = before.dataCenters[n];
      if (old === undefined || old.stage === row.stage) return;
      const what = REACHED[row.stage];
      if (what !== undefined) addCount(counts, what);
      if (SLOT_STAGES.includes(row.stage) && !SLOT_STAGES.includes(old.stage))
        addCount(counts, 'rollouts and undos begun');
    });
  if (before.runs !== after.runs)
    for (const run of after.runs) {
      const what = run.state === 'done' ? ENDED[run.kind] : undefined;
      if (what !== undefined && before.runs.find(({ runId }) => runId === run.runId)?.state === 'open')
        addCount(counts, what);
    }
  if (before.approvals !== after.approvals)
    addCount(counts, 'approvals', after.approvals.length - before.approvals.length);
}

/** Of changes that no batch of a night wrote. */
const CAUSES: Readonly<Record<string, string>> = {
  apply: 'orgs rolled out',
  undo: 'orgs undone',
  feed: 'orgs raised by the feed',
  'sign-up': 'sign-ups that got credits at once',
};

export function countCell(counts: WorldCounts, before: CellState, after: CellState): void {
  if (before.changes !== after.changes)
    for (const { cause } of after.changes.slice(before.changes.length))
      addCount(counts, CAUSES[cause] ?? 'orgs healed by a night or a sweep');
  if (before.batches !== after.batches) {
    const done = (state: CellState): number => state.batches.filter((batch) => batch.doneAt !== null).length;
    addCount(counts, 'batches done', done(after) - done(before));
  }
  addCount(counts, 'plans made', after.plans.length - before.plans.length);
  if (before.fence.state === 'closed' && after.fence.state !== 'closed') addCount(counts, 'fences opened');
  if (before.freeze === null && after.freeze !== null) addCount(counts, 'freezes');
  for (const { model } of after.signUps.slice(before.signUps.length)) addCount(counts, `sign-ups on ${model}`);
  const { gate } = before;
  if (gate === after.gate) return;
  if (gate.effectiveAt === null && after.gate.effectiveAt !== null) addCount(counts, 'gates armed');
  if (gate.latchedAt === null && after.gate.latchedAt !== null) addCount(counts, 'cut-overs latched');
}
