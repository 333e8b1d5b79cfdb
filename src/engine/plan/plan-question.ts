// What a plan is made with, and what is called while it is made.
import type { BatchSetting, GuardRails } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { SaveOrgs } from './export-orgs.js';

export interface PlanQuestion {
  readonly dataCenter: string;
  readonly card: RateCard;
  /** Who requested it, and must not approve it. */
  readonly author: string;
  /** Orgs per range; an apply takes the ranges as its batches. */
  readonly rangeSize: BatchSetting;
  readonly lanes: number;
  readonly rails: GuardRails;
  /** `nothing`: a what-if. A number: that of a requested plan. */
  readonly save: 'nothing' | 'new_plan' | bigint;
}

export interface PlanHooks {
  /** Called with the number of orgs read so far. */
  readonly onProgress?: (orgs: number) => void;
  /** Called with every org as CSV, from the same snapshot. */
  readonly saveOrgs?: SaveOrgs | undefined;
  readonly signal?: AbortSignal | undefined;
}
