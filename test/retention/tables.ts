// What each table of ours grows with, and what limits it. docs/reference/retention.md says the same to users; a test
// compares both with the catalog, so that a new table cannot be forgotten.

/**
 * `fixed`: with versions of the program; `places`: data centers, processes and settings; `orgs`: orgs and their edits;
 * `people`: what people decide; `time`: nights and days, with a limit.
 */
export type Growth = 'fixed' | 'places' | 'orgs' | 'people' | 'time';

export const CONTROL_TABLES: Readonly<Record<string, Growth>> = {
  rollout: 'fixed',
  stage_transitions: 'fixed',
  migrations: 'fixed',
  migrations_lock: 'fixed',
  data_centers: 'places',
  holds: 'places',
  hold_log: 'time',
  failed_steps: 'places',
  policy: 'places',
  seal_keys: 'places',
  approvals: 'people',
  policy_changes: 'people',
  postponements: 'people',
  reversals: 'people',
  cell_proposals: 'people',
  plans: 'time',
  runs: 'time',
  due_work: 'time',
  reconcile_requests: 'time',
  audit: 'time',
  schedulers: 'time',
};

export const CELL_TABLES: Readonly<Record<string, Growth>> = {
  cell: 'fixed',
  fence: 'fixed',
  gate: 'fixed',
  gate_secret: 'fixed',
  seal_key: 'fixed',
  feed: 'fixed',
  migrations: 'fixed',
  migrations_lock: 'fixed',
  allotments: 'orgs',
  allotment_changes: 'orgs',
  sign_ups: 'orgs',
  changed_orgs: 'time',
  rate_cards: 'people',
  rates: 'people',
  protected_orgs: 'people',
  overrides: 'people',
  repairs: 'people',
  repaired_orgs: 'people',
  freezes: 'people',
  reversals: 'people',
  used_seals: 'people',
  stale_orgs: 'people',
  plans: 'time',
  plan_ranges: 'time',
  plan_groups: 'time',
  plan_parts: 'time',
  plan_ends: 'people',
  pending_sign_ups: 'time',
  plan_requests: 'time',
  runs: 'time',
  batches: 'time',
  quarantine: 'time',
  drift: 'time',
  detections: 'time',
  workers: 'time',
  schedulers: 'time',
  usage_days: 'time',
  usage_alerts: 'time',
  exceptions: 'people',
};
