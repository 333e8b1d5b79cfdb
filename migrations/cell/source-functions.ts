// Every function that reads the source, or rows of the product's table, with other rights than its caller's, or
// calls one that does. Code of the product runs inside them (its view, a cast of its types), so they belong to a role
// that can do nothing else.

/** Whoever owns a function can change how it runs, so none of our schema's owner calls one of these. */
export const SOURCE_FUNCTIONS = [
  'add_unreadable_range',
  'api_details',
  'ask_exception',
  'complete_override',
  'count_null_ids',
  'count_unswept',
  'measure_look',
  'measure_one_org',
  'note_changed_orgs',
  'note_left_out',
  'onboard_inserted',
  'plan_key_ranges',
  'plan_undo_range',
  'retire_allotments',
  'split_batch',
  'undo_range',
  'undo_source',
  'undo_targets',
  'write_sign_ups',
] as const;
