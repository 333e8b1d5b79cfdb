// What a plan is asked for with, and what wants to hear of it while it is made.
import type { GuardRails } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { SaveOrgs } from './export-orgs.js';

export interface PlanQuestion {
  readonly dataCenter: string;
  readonly card: RateCard;
  /** Who asks; must not approve it. */
  readonly author: string;
  /** Orgs per range, which the apply takes as its batches. */
  readonly rangeSize: number;
  readonly lanes: number;
  readonly rails: GuardRails;
  /** `nothing`: a what-if. A number: a plan that was asked for under it. */
  readonly keep: 'nothing' | 'new_plan' | bigint;
}

export interface PlanHooks {
  /** Gets the orgs read so far. */
  readonly onProgress?: (orgs: number) => void;
  /** Gets every org as CSV, from the same snapshot. */
  readonly saveOrgs?: SaveOrgs | undefined;
  readonly signal?: AbortSignal | undefined;
}
