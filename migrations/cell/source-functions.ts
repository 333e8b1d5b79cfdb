// Every function that reads the source with other rights than its caller's, or calls one that does. The code of the
// product's view runs inside them, so they belong to a role that can do nothing else.

/** Whoever owns a function can change how it runs, so none of our schema's owner calls one of these. */
export const SOURCE_FUNCTIONS = [
  'add_unreadable_range',
  'complete_override',
  'count_null_ids',
  'grant_sign_up',
  'measure_one_org',
  'onboard_inserted',
  'onboard_org',
  'plan_key_ranges',
  'retire_allotments',
  'split_batch',
  'write_sign_ups',
] as const;
