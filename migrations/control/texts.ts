// Why: every tick and every status reads some rows of this database whole. One request with a reason of 200 MB took
// control away from everybody.
import type { Migration } from '../migration.js';
import { checkTextsSql, type TextLimits } from '../texts.js';

/** What was checked before 20261208030000. */
export const CONTROL_LIMITS: TextLimits = {
  without: [],
  own: {
    // its own shape check says what it may be
    'audit.details': 100_000,
    // a second person reads it whole: the order of 100 data centers
    'policy_changes.to_value': 8_000,
  },
};

/** What adds a text or JSON column runs checkTextsSql with these again. */
export const CONTROL_LIMITS_NOW: TextLimits = {
  ...CONTROL_LIMITS,
  // every head that the cells keep of a day that was lost
  own: { ...CONTROL_LIMITS.own, 'audit_cuts.parts': 8_000_000 },
};

/** Why: a text is as long as a person reads. */
export const limitControlTexts: Migration = {
  name: '20261201180000_pre_limit_texts',
  up: checkTextsSql('credit_rollout_control', CONTROL_LIMITS),
};
