// Before an apply: which data centers have something to change, which have nothing, and which are under way already.
// Reads only.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { hasEnded } from '../../domain/rollout/stage.js';
import type { EngineContext } from '../context.js';
import { isPending, planDataCenter } from '../plan/plan-data-center.js';
import { findCardChange } from '../rollout/rollout-checks.js';
import { readStatus } from './read-status.js';

export interface TriageQuestion {
  readonly config: RolloutConfig;
  readonly card: RateCard;
  readonly dataCenters: readonly DataCenterConfig[];
  /**
   * `requested`: those that are under way are requested too, which `requestApply` rejects as data_center_busy.
   * `joined`: only those that are under way with another card are.
   */
  readonly busy: 'skipped' | 'joined' | 'requested';
}

export interface Triage {
  /** In the order in which they run: those that are done and have changes stand last. */
  readonly requested: readonly DataCenterConfig[];
  /** Done with this card, and the plan finds nothing to write. */
  readonly unchanged: readonly string[];
  readonly busy: readonly string[];
}

/** A data center that is done is planned first, so that an apply without work moves nothing. */
export async function triage(engine: EngineContext, question: TriageQuestion): Promise<Triage> {
  const { dataCenters, busy, card } = question;
  const status = await readStatus(engine);
  const found = await Promise.all(
    dataCenters.map(async ({ id }) => {
      const row = status.dataCenters.find((one) => one.id === id);
      if (row !== undefined && !hasEnded(row))
        return busy === 'skipped' || (busy === 'joined' && row.cardHash === card.hash) ? 'busy' : 'requested';
      if (row?.stage !== 'done') return 'requested';
      return (await hasChanges(engine, question, id)) ? 'requested' : 'unchanged';
    }),
  );
  const pick = (kind: string): readonly DataCenterConfig[] => dataCenters.filter((_, index) => found[index] === kind);
  const isDone = ({ id }: DataCenterConfig): boolean =>
    status.dataCenters.some((row) => row.id === id && row.stage === 'done');
  const requested = pick('requested');
  return {
    requested: [...requested.filter((one) => !isDone(one)), ...requested.filter(isDone)],
    unchanged: pick('unchanged').map(({ id }) => id),
    busy: pick('busy').map(({ id }) => id),
  };
}

async function hasChanges(
  engine: EngineContext,
  { config, card }: TriageQuestion,
  dataCenter: string,
): Promise<boolean> {
  if ((await findCardChange(engine, dataCenter, card.hash)) !== undefined) return true;
  return isPending(await planDataCenter(engine, { config, dataCenter, card, save: 'nothing' }));
}
