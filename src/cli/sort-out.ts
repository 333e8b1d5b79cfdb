// Before an apply: which data centers have something to change, which have not, and which are under way already.
import type { Program } from '../compose.js';
import type { DataCenterConfig } from '../domain/config/rollout-config.js';
import type { RateCard } from '../domain/rate-card/rate-card.js';
import { readStatus } from '../engine/operate/read-status.js';
import { isPending, planDataCenter } from '../engine/plan/plan-data-center.js';
import { findCardChange } from '../engine/rollout/rollout-checks.js';
import { hasEnded } from './terminal/exit-code.js';

export interface Triage {
  readonly requested: readonly DataCenterConfig[];
  /** Done with this card, and the plan finds nothing to write. */
  readonly unchanged: readonly string[];
  readonly busy: readonly string[];
}

/** A done data center is planned first, so that an apply without work moves nothing. `busy`: whether those under way are asked for all the same, which is refused as data_center_busy. */
export async function triage(
  program: Program,
  card: RateCard,
  dataCenters: readonly DataCenterConfig[],
  busy: 'skipped' | 'requested',
): Promise<Triage> {
  const status = await readStatus(program.engine);
  const found = await Promise.all(
    dataCenters.map(async (dataCenter) => {
      const row = status.dataCenters.find(({ id }) => id === dataCenter.id);
      if (row !== undefined && !hasEnded(row)) return busy === 'skipped' ? 'busy' : 'requested';
      if (row?.stage !== 'done') return 'requested';
      return (await hasChanges(program, card, dataCenter.id)) ? 'requested' : 'unchanged';
    }),
  );
  const pick = (kind: string): readonly DataCenterConfig[] => dataCenters.filter((_, index) => found[index] === kind);
  return {
    requested: pick('requested'),
    unchanged: pick('unchanged').map(({ id }) => id),
    busy: pick('busy').map(({ id }) => id),
  };
}

async function hasChanges(program: Program, card: RateCard, dataCenter: string): Promise<boolean> {
  const { engine, config } = program;
  if ((await findCardChange(engine, dataCenter, card.hash)) !== undefined) return true;
  return isPending(await planDataCenter(engine, { config, dataCenter, card, keep: 'nothing' }));
}
