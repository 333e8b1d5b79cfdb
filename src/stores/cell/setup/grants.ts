// What each role of a cell may do: as little as its work needs. The fencer may not read the key bounds of batches
// (I15).
import { INSERTED_COLUMNS, UPDATED_COLUMNS } from '../batch/credit-terms.js';
import type { CellRole } from '../cell-database.js';

const FENCER_BATCH_COLUMNS = `run_id, batch_no, expected, state, epoch, timeline, orgs, inserted, raised, unchanged,
  stale, quarantined, falls, total_credits, duration_ms, done_at, verified_at, checked, mismatches, changed_since,
  appeared, legacy_wins, before_credits, after_credits, floors, kind, plan_range, slowdown`;
// what a batch did, and what its verification found
const WORKER_BATCH_COLUMNS = `state, epoch, timeline, orgs, inserted, raised, unchanged, stale, quarantined, falls,
  total_credits, duration_ms, done_at, verified_at, checked, mismatches, changed_since, appeared, legacy_wins,
  before_credits, after_credits, floors, slowdown`;
// a finding, until its run ends
const WORKER_DRIFT_COLUMNS = `cause, movement, before_total, after_total, before_floor, after_floor, proposed_floor,
  outcome, capped, batch_no, found_at`;
// the numbers of a plan; the fencer may not read the orgs that it names
const FENCER_PLAN_COLUMNS = `plan_id, digest, card_hash, source_signature, author, snapshot_at, made_at, ranges, orgs,
  touched, counts`;
const PLANS = `select on credit_rollout.plans, credit_rollout.plan_ranges, credit_rollout.plan_groups,
  credit_rollout.plan_requests, credit_rollout.stale_orgs`;
const PLAN_FUNCTIONS = `execute on function credit_rollout.planned, credit_rollout.digest_plan,
  credit_rollout.digest_sums`;
const RULE = `execute on function credit_rollout.assessed, credit_rollout.decided, credit_rollout.decided_first,
  credit_rollout.reads_source`;
// for the change feed, org by org
const RULE_BY_KEY = 'execute on function credit_rollout.decided_stored';
// whether an allotment was written by us
const CHECKSUMS = `execute on function credit_rollout.checksum_columns, credit_rollout.checksum_shared,
  credit_rollout.checksum_row, credit_rollout.checksum_seed, credit_rollout.checksum_from_seed,
  credit_rollout.checksum_of, credit_rollout.earlier_checksum_of, credit_rollout.is_before_checksums,
  credit_rollout.is_intact`;
// ids of orgs that are found beside one that cannot be read
const KEYS = 'execute on function credit_rollout.list_keys, credit_rollout.note_key';
// orgs that cannot be held: counted by a plan and by a night
const NOTE_LEFT_OUT = 'execute on function credit_rollout.note_left_out';
const NAMES = 'execute on function credit_rollout.name_person';
// what org_capacity calls as whoever reads it
const RETURNED = 'execute on function credit_rollout.returned_capacity';
const RULE_INPUTS = `select on credit_rollout.source_orgs, credit_rollout.source_faults, credit_rollout.source_left_out,
  credit_rollout.decided, credit_rollout.cell, credit_rollout.rate_cards, credit_rollout.rates, credit_rollout.gate,
  credit_rollout.reversals, credit_rollout.sign_ups, credit_rollout.allotments, credit_rollout.fence,
  credit_rollout.freezes, credit_rollout.runs, credit_rollout.batches, credit_rollout.quarantine,
  credit_rollout.retired`;

// after a retry or a failover: a trigger lets these only be cleared
const VERIFY_AGAIN = 'update (verified_at, checked, mismatches, changed_since, appeared) on credit_rollout.batches';
// what both see of a cell's state: no org, no key bound
const STATE = [
  `select on credit_rollout.fence, credit_rollout.gate, credit_rollout.reversals, credit_rollout.freezes,
    credit_rollout.runs, credit_rollout.cell, credit_rollout.rate_cards, credit_rollout.rates, credit_rollout.workers,
    credit_rollout.plan_requests, credit_rollout.schedulers, credit_rollout.checks, credit_rollout.throttle,
    credit_rollout.audit_heads`,
  `select (${FENCER_BATCH_COLUMNS}) on credit_rollout.batches`,
  'select (run_id, reason) on credit_rollout.quarantine',
  `select (${FENCER_PLAN_COLUMNS}) on credit_rollout.plans`,
  'select (run_id, reason, settled_at) on credit_rollout.stale_orgs',
  'select (repair_id, state, proposed_at, decided_at) on credit_rollout.repairs',
  'select (undo_id, undoes, digest, state, decided_at, run_id) on credit_rollout.undo_plans',
  'select (run_id, cause, movement, outcome, proposes) on credit_rollout.drift',
  'select (look_ms, failure, bulk_from) on credit_rollout.feed',
  'select (noted_at, tries, why) on credit_rollout.pending_sign_ups',
  'select on credit_rollout.sign_up_writer',
  'select on sequence credit_rollout.left_out',
  // a new card, whole: its rates must have its hash, and nothing uses it yet
  'execute on function credit_rollout.add_rate_card',
  // anybody who acts on a cell may stop it; who may update a row could keep it locked
  `execute on function credit_rollout.freeze_cell, credit_rollout.acknowledge_freeze, credit_rollout.lift_freeze`,
  // each does what control sealed, and nothing else
  `execute on function credit_rollout.arm_gate, credit_rollout.reverse_cutover, credit_rollout.reads_source,
    credit_rollout.adopt_cell, credit_rollout.digest_adoption, credit_rollout.has_adoption`,
];

/** By role. */
export const GRANTS: Readonly<Record<CellRole, readonly string[]>> = {
  worker: [
    RULE,
    RULE_BY_KEY,
    RULE_INPUTS,
    KEYS,
    CHECKSUMS,
    // version and instant of a first decision are their defaults
    `insert (${INSERTED_COLUMNS}), update (${UPDATED_COLUMNS}) on credit_rollout.allotments`,
    'insert on credit_rollout.quarantine',
    // never what a batch is: a trigger keeps it, and nobody who may update a column can lock the table
    `update (${WORKER_BATCH_COLUMNS}) on credit_rollout.batches`,
    'update (state, failure, single_writes, changed_at) on credit_rollout.fence',
    'select, insert, update (seen_at, trouble) on credit_rollout.workers',
    `execute on function credit_rollout.split_batch, credit_rollout.delete_worker,
      credit_rollout.undo_range`,
    NOTE_LEFT_OUT,
    // it writes what it measured; which checks there are, and their limits, come with the seal of a run
    'select, update (value, error, sampled_at, calm_ms, mark_lsn, mark_at) on credit_rollout.checks',
    `select, update (lanes, good_samples, changed_at, sampled_at, looked_at, slowed, writes_mark, writes_at,
      calm_writes, active_mark, active_at, others_active) on credit_rollout.throttle`,
    'execute on function credit_rollout.probe_ms, credit_rollout.slowdown',
    PLANS,
    PLAN_FUNCTIONS,
    // the check of the canary compares with what was stored before, and how it came about
    'select on credit_rollout.allotment_changes, credit_rollout.org_changes, credit_rollout.overrides',
    'update (failure) on credit_rollout.plan_requests',
    'insert, update (settled_at, settled) on credit_rollout.stale_orgs',
    // no canary has a protected org
    'select on credit_rollout.protected_orgs, credit_rollout.org_capacity',
    RETURNED,
    // the change feed reads each recorded edit once, and records those that it decides later
    'select, insert (org_id) on credit_rollout.changed_orgs',
    'execute on function credit_rollout.take_changes, credit_rollout.list_updated_keys',
    'select on credit_rollout.changed_orgs_change_no_seq',
    'select on credit_rollout.feed',
    // who may update a whole table could lock it, and triggers on the product's table read this one
    `update (read_from, read_at, open_then, noted_to, raised, failure, changed_at, rest_until, backlog_rest_until,
      page_size, look_ms, read_past, bulk_from, bulk_to, bulk_after, bulk_again_from) on credit_rollout.feed`,
    `select, insert, update (${WORKER_DRIFT_COLUMNS}) on credit_rollout.drift`,
    'select, insert, update (next_id, orgs, allotments, ended_at) on credit_rollout.detections',
    // sign-ups whose allotment could not be written at once
    'select on credit_rollout.pending_sign_ups',
    'select, update (rest_until, read_ms, failure) on credit_rollout.sign_up_writer',
    'execute on function credit_rollout.write_sign_ups',
    `execute on function credit_rollout.add_repairs, credit_rollout.retire_allotments,
       credit_rollout.restore_retired`,
  ],
  planner: [
    RULE,
    RULE_INPUTS,
    KEYS,
    CHECKSUMS,
    'select on credit_rollout.protected_orgs',
    // a dry run of a reconciliation names causes from what was recorded
    'select (run_id, org_id, cause, proposes) on credit_rollout.drift',
    'select on credit_rollout.allotment_changes, credit_rollout.org_changes, credit_rollout.waiting_floors',
    // whose busiest day needs more than the new total
    'select on credit_rollout.usage_peaks',
    'select (day) on credit_rollout.usage_days',
    PLANS,
    PLAN_FUNCTIONS,
    // they count what they store
    NOTE_LEFT_OUT,
    `execute on function credit_rollout.plan_key_ranges, credit_rollout.add_unreadable_range,
       credit_rollout.finish_plan, credit_rollout.seal_plan, credit_rollout.has_adoption`,
    'usage on sequence credit_rollout.plan_ids',
  ],
  reader: [
    RULE,
    RULE_INPUTS,
    KEYS,
    CHECKSUMS,
    `select on credit_rollout.allotment_changes, credit_rollout.org_changes, credit_rollout.org_capacity,
      credit_rollout.workers`,
    RETURNED,
    `select on credit_rollout.protected_orgs, credit_rollout.overrides, credit_rollout.drift,
       credit_rollout.waiting_floors, credit_rollout.repairs, credit_rollout.repaired_orgs`,
    // those that are only recorded are not missing
    'select (org_id, tries) on credit_rollout.pending_sign_ups',
    'execute on function credit_rollout.repair_targets',
    `select on credit_rollout.usage_days, credit_rollout.usage_alerts, credit_rollout.usage_peaks,
       credit_rollout.exceptions, credit_rollout.decision_log`,
    'execute on function credit_rollout.api_details',
    PLANS,
    PLAN_FUNCTIONS,
    'execute on function credit_rollout.digest_override, credit_rollout.seal_key_fingerprint',
    'execute on function credit_rollout.has_adoption',
  ],
  fencer: [
    ...STATE,
    'insert (login), update (seen_at) on credit_rollout.schedulers',
    'update (state, epoch, run_id, timeline, failure, single_writes, changed_at) on credit_rollout.fence',
    'update (armed_at, effective_at, latched_at, swept_at) on credit_rollout.gate',
    `execute on function credit_rollout.open_run, credit_rollout.open_maintenance, credit_rollout.change_checks,
      credit_rollout.open_undo, credit_rollout.undoable_run, credit_rollout.count_unswept`,
    'update (state, ended_at, canary_passed_at, pass, pass_from, cut_at, lanes) on credit_rollout.runs',
    VERIFY_AGAIN,
    'insert on credit_rollout.plan_requests',
    'usage on sequence credit_rollout.plan_ids',
    `execute on function credit_rollout.add_follow_up, credit_rollout.forget_plan, credit_rollout.forget_drift,
      credit_rollout.purge_nights, credit_rollout.purge_usage, credit_rollout.seal_plan`,
    'execute on function credit_rollout.keep_audit_head',
  ],
  operator: [
    ...STATE,
    // a freeze ends what the change feed writes; without a right on the epoch it opens nothing
    'update (single_writes, changed_at) on credit_rollout.fence',
    // `cutover execute`: never before its instant
    'update (latched_at) on credit_rollout.gate',
    VERIFY_AGAIN,
    // what the status advises after an undo
    'execute on function credit_rollout.undoable_run',
  ],
  // what people write about one org; its allotment is written by the owner's functions, with a seal of control
  override: [
    RULE,
    RULE_INPUTS,
    KEYS,
    'select, insert (org_id, reason, protected_by) on credit_rollout.protected_orgs',
    'execute on function credit_rollout.unprotect_org, credit_rollout.has_adoption',
    'select, insert (org_id, floor, reason, author), update (decided_at, state) on credit_rollout.overrides',
    `execute on function credit_rollout.digest_override, credit_rollout.begin_override,
       credit_rollout.write_override, credit_rollout.complete_override`,
    // allotments that break the rule are put back by the owner's functions too
    'select on credit_rollout.repairs, credit_rollout.repaired_orgs',
    `execute on function credit_rollout.propose_repair, credit_rollout.digest_repair,
       credit_rollout.apply_repair`,
    // what a rollout wrote is taken back: these compute what, and another opens the run
    'select on credit_rollout.undo_plans, credit_rollout.undo_ranges, credit_rollout.undo_falls',
    `execute on function credit_rollout.undoable_run, credit_rollout.undoable_runs, credit_rollout.undo_targets,
       credit_rollout.begin_undo_plan, credit_rollout.plan_undo_range, credit_rollout.finish_undo_plan,
       credit_rollout.accept_undo, credit_rollout.withdraw_undo`,
    // its row is explained and verified
    'select on credit_rollout.org_capacity, credit_rollout.stale_orgs',
    RETURNED,
    // exceptions: what an org asked for never changes, and a trigger keeps each decision
    `select on credit_rollout.exceptions, credit_rollout.usage_peaks`,
    `insert (org_id, text, wanted, until, asked_by), update (state, override_id, answer, answered_by)
       on credit_rollout.exceptions`,
    // what triggers write beside a name
    NAMES,
    'select, insert (org_id, credits, concurrency), update (credits, concurrency) on credit_rollout.enforcement',
    'select on credit_rollout.decision_log',
    'execute on function credit_rollout.read_org_ids',
  ],
  // a gateway's process: what each org may use, and what it used
  meter: [
    'select on credit_rollout.org_capacity, credit_rollout.usage_days, credit_rollout.enforcement',
    RETURNED,
    'select (org_id, total_credits, concurrency_limit) on credit_rollout.allotments',
    // each of its connections proves that it leads to this cell
    'select (data_center, zone, system_identifier, database_name) on credit_rollout.cell',
    `execute on function credit_rollout.read_org_ids, credit_rollout.record_usage,
      credit_rollout.record_metered_usage, credit_rollout.api_details`,
  ],
};

/**
 * What the code of the product's view can do inside our functions: read what the rule reads, and have the owner's
 * functions write numbers of this cell, which the product decides and enforces anyway.
 */
export const SOURCE_GRANTS = [
  `execute on function credit_rollout.assessed, credit_rollout.decided, credit_rollout.decided_first,
    credit_rollout.decided_one, credit_rollout.check_open_plan,
    credit_rollout.insert_sign_up, credit_rollout.single_writes_open, credit_rollout.is_row_failure,
    credit_rollout.spent_of_timeouts, credit_rollout.onboard_org, credit_rollout.count_null_ids,
    credit_rollout.measure_one_org, credit_rollout.finish_override, credit_rollout.keep_left_out,
    credit_rollout.retire_gone, credit_rollout.lock_batch, credit_rollout.split_batch_at,
    credit_rollout.undo_lineage, credit_rollout.undo_source, credit_rollout.undo_targets, credit_rollout.add_undo_range,
    credit_rollout.lock_undo_range, credit_rollout.take_back, credit_rollout.stored_details,
    credit_rollout.api_details, credit_rollout.returned_capacity`,
  `select on credit_rollout.source_orgs, credit_rollout.source_faults, credit_rollout.source_left_out,
    credit_rollout.decided, credit_rollout.cell,
    credit_rollout.rate_cards, credit_rollout.rates, credit_rollout.gate, credit_rollout.reversals,
    credit_rollout.sign_ups, credit_rollout.allotments, credit_rollout.protected_orgs, credit_rollout.plans,
    credit_rollout.overrides, credit_rollout.freezes, credit_rollout.fence, credit_rollout.pending_sign_ups,
    credit_rollout.retired, credit_rollout.org_capacity, credit_rollout.usage_peaks,
    credit_rollout.undo_plans, credit_rollout.undo_ranges`,
  'select (run_id, org_id, reason) on credit_rollout.quarantine',
  'select (day) on credit_rollout.usage_days',
  'update (tries, due_at, why), delete on credit_rollout.pending_sign_ups',
  'insert on credit_rollout.plan_ranges, credit_rollout.plan_groups, credit_rollout.plan_parts',
  'insert (org_id, text, wanted, until, asked_by), select (exception_id) on credit_rollout.exceptions',
  NAMES,
  KEYS,
  // the triggers of the change feed
  'select on credit_rollout.runs, credit_rollout.feed, credit_rollout.changed_orgs_change_no_seq',
  'insert (org_id) on credit_rollout.changed_orgs',
];
