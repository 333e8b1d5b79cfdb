// What the attacks on seals share: a cell after its rollout, another plan in it, and every action that needs a seal.
import { makePlan } from '../../src/engine/plan/make-plan.js';
import { parsePlanName } from '../../src/engine/plan/plan-id.js';
import { classifyFailure } from '../../src/stores/postgres-failure.js';
import { contextOf } from '../support/cell.js';
import { sealInCell } from '../support/seal-in-cell.js';
import { type CellScene, openCellScene } from './cell-scene.js';

/** Repairs and undos have their own attacks: they need a proposal of exactly what they do. */
export type SealedAction = Exclude<Parameters<typeof sealInCell>[1], 'repair' | 'undo' | 'undo_run'>;

/** Who may ask for each action, and with which function. */
export const SEALED_ACTIONS: Readonly<
  Record<
    SealedAction,
    { readonly call: string; readonly by: 'fencer' | 'override'; readonly too?: 'operator'; readonly more?: string }
  >
> = {
  run: { call: 'open_run', by: 'fencer' },
  maintenance: { call: 'open_maintenance', by: 'fencer' },
  cutover: { call: 'arm_gate', by: 'fencer', too: 'operator' },
  reversal: { call: 'reverse_cutover', by: 'fencer', too: 'operator' },
  override: { call: 'begin_override', by: 'override' },
  retention: { call: 'forget_drift', by: 'fencer', more: ', 1' },
};

export interface SealScene extends CellScene {
  /** A whole plan of the cell that no run follows. */
  readonly plan: { readonly id: number; readonly digest: string };
  planAgain(): Promise<SealScene['plan']>;
  /** What control puts into the seal of a action. */
  contentOf(kind: SealedAction): object;
  seal(kind: SealedAction, content?: object, validFor?: string): Promise<string>;
  /** Asks for a action with this document: `done`, or the constraint that it breaks. */
  outcomeOf(kind: SealedAction, document: string | null): Promise<string>;
}

export async function openSealScene(): Promise<SealScene> {
  const scene = await openCellScene();
  const { cell, dataCenter, card } = scene.cell;
  const planAgain: SealScene['planAgain'] = async () => {
    const made = await makePlan(contextOf(cell), {
      dataCenter: dataCenter.id,
      card,
      author: 'mallory',
      rangeSize: 100,
      lanes: 1,
      rails: { quarantinedShare: 1 },
      save: 'new_plan',
    });
    return { id: Number(parsePlanName(made.planId ?? '')?.number), digest: made.digest ?? '' };
  };
  const plan = await planAgain();
  const names = { author: 'alice', approver: 'bob' };
  const contents: Readonly<Record<SealedAction, object>> = {
    run: {
      run_id: 900,
      plan_id: plan.id,
      digest: plan.digest,
      card_hash: card.hash,
      batch_size: 100,
      lanes: 1,
      rails: {},
      approval: 'person',
      ...names,
    },
    maintenance: { run_id: 901, of: 'reconcile', max_changed: 1, max_lapsed: 0, allow_falls: false },
    cutover: { at: '2098-10-30T00:00:00Z', local: 'then', set_at: '2026-01-01T00:00:00Z' },
    reversal: { reversal_id: 1, at: '2098-11-30T00:00:00Z', local: 'then', ...names },
    override: { number: 1, digest: 'x', ...names },
    retention: { plan_days: 30, drift_days: 400 },
  };
  return {
    ...scene,
    plan,
    planAgain,
    contentOf: (kind) => contents[kind],
    seal: (kind, content = contents[kind], validFor = '1 hour') => sealInCell(cell, kind, { ...content }, validFor),
    outcomeOf: async (kind, document) => {
      const literal = document === null ? 'null' : `'${document.replaceAll("'", "''")}'`;
      try {
        await scene.logins[SEALED_ACTIONS[kind].by].read(
          `select credit_rollout.${SEALED_ACTIONS[kind].call}(${literal}::jsonb${SEALED_ACTIONS[kind].more ?? ''})`,
        );
        return 'done';
      } catch (error) {
        const { object, sqlstate } = classifyFailure(error);
        return object ?? sqlstate ?? 'unknown';
      }
    },
  };
}
