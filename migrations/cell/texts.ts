// Why: a text that a login of a cell writes is read by workers, schedulers and `status`.
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';

/** What plans, batches, sign-ups and the meter write, thousands of rows at once: their texts are checked or copied. */
const MANY = [
  'allotments',
  'allotment_changes',
  'batches',
  'changed_orgs',
  'drift',
  'pending_sign_ups',
  'plan_groups',
  'plan_parts',
  'plan_ranges',
  'quarantine',
  'repaired_orgs',
  'retired',
  'sign_ups',
  'stale_orgs',
  'usage_alerts',
  'usage_days',
  'usage_peaks',
  'waiting_floors',
] as const;

/** What adds a text or JSON column runs this SQL again. */
export const limitCellTexts: Migration = {
  name: '20261201180000_pre_limit_texts',
  up: checkTextsSql('credit_rollout', {
    without: MANY,
    own: {
      // a report: the bars and branches of its counts, and 20 orgs a list, whose ids the product chose
      'plans.counts': 2_000_000,
      'plans.lists': 2_000_000,
      // every open transaction of the server
      'feed.open_then': 200_000,
      // every kind of call
      'rate_cards.costs': 20_000,
    },
  }),
};
