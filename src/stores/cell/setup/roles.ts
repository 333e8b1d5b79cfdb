// The roles of a cell and what each may do: as little as its work needs. Batches' key bounds are closed to the fencer (I15).
import { RolloutError } from '../../../kernel/rollout-error.js';
import { CELL_ROLES, type CellRole, type CellTransaction, cellRoleName } from '../cell-database.js';

const FENCER_BATCH_COLUMNS = `run_id, batch_no, expected, state, epoch, timeline, orgs, inserted, raised, unchanged, stale, quarantined,
  falls, total_credits, duration_ms, done_at, verified_at, checked, mismatches, changed_since, appeared, legacy_wins, before_credits,
  after_credits, floors, kind, plan_range`;
// what a plan says in numbers; the orgs it names are closed to the fencer
const FENCER_PLAN_COLUMNS = `plan_id, digest, card_hash, source_signature, author, snapshot_at, made_at, ranges, orgs, touched, counts`;
const PLANS = `select on credit_rollout.plans, credit_rollout.plan_ranges, credit_rollout.plan_groups, credit_rollout.plan_requests,
  credit_rollout.stale_orgs`;
const PLAN_FUNCTIONS = `execute on function credit_rollout.planned, credit_rollout.digest_plan`;
const RULE = `execute on function credit_rollout.assessed, credit_rollout.decided, credit_rollout.decided_first`;
const RULE_INPUTS = `select on credit_rollout.source_orgs, credit_rollout.source_faults, credit_rollout.decided, credit_rollout.cell,
  credit_rollout.rate_cards, credit_rollout.rates, credit_rollout.gate, credit_rollout.reversals, credit_rollout.sign_ups, credit_rollout.allotments,
  credit_rollout.fence, credit_rollout.freezes, credit_rollout.runs, credit_rollout.batches, credit_rollout.quarantine`;

const GRANTS: Readonly<Record<CellRole, readonly string[]>> = {
  worker: [
    RULE,
    RULE_INPUTS,
    'insert, update on credit_rollout.allotments',
    'insert on credit_rollout.quarantine',
    'update on credit_rollout.batches',
    'update (state, failure, single_writes, changed_at) on credit_rollout.fence',
    'select, insert, update, delete on credit_rollout.workers',
    'execute on function credit_rollout.cut_ranges, credit_rollout.split_batch',
    PLANS,
    PLAN_FUNCTIONS,
    // the canary is held against what was stored before
    'select on credit_rollout.allotment_changes',
    'update (failure) on credit_rollout.plan_requests',
    'insert, update (settled_at, settled) on credit_rollout.stale_orgs',
    // who writes about one org must be able to read orgs: no other role is
    'select, insert, delete on credit_rollout.protected_orgs',
    'select, insert (org_id, floor, reason, author), update (approver, decided_at, state, before, after) on credit_rollout.overrides',
    'select on credit_rollout.org_capacity',
    // the change feed: its notes are read once
    'select, delete on credit_rollout.changed_orgs',
    'select on credit_rollout.changed_orgs_change_no_seq',
    'select, update on credit_rollout.feed',
    'select, insert, update on credit_rollout.drift, credit_rollout.detections',
    'execute on function credit_rollout.add_repairs, credit_rollout.retire_allotments, credit_rollout.restore_retired',
  ],
  planner: [
    RULE,
    RULE_INPUTS,
    'select on credit_rollout.protected_orgs',
    // a dry run of a reconciliation names causes from what was recorded
    'select on credit_rollout.allotment_changes, credit_rollout.waiting_floors',
    PLANS,
    PLAN_FUNCTIONS,
    'insert on credit_rollout.plans, credit_rollout.plan_ranges, credit_rollout.plan_groups',
    'usage on sequence credit_rollout.plan_ids',
  ],
  reader: [
    RULE,
    RULE_INPUTS,
    'select on credit_rollout.allotment_changes, credit_rollout.org_capacity, credit_rollout.workers',
    'select on credit_rollout.protected_orgs, credit_rollout.overrides, credit_rollout.drift, credit_rollout.waiting_floors',
    PLANS,
    PLAN_FUNCTIONS,
  ],
  fencer: [
    'select, update on credit_rollout.fence, credit_rollout.gate',
    'select on credit_rollout.reversals',
    'execute on function credit_rollout.reverse_cutover',
    'select, insert (frozen_by, reason), update (acknowledged_at, lifted_at, lifted_by, lift_reason) on credit_rollout.freezes',
    'select, insert, update on credit_rollout.runs',
    `select (${FENCER_BATCH_COLUMNS}), insert (run_id, batch_no, state), update (${FENCER_BATCH_COLUMNS}) on credit_rollout.batches`,
    'select on credit_rollout.cell, credit_rollout.rate_cards, credit_rollout.workers',
    'select (run_id, reason) on credit_rollout.quarantine',
    'update (active_card) on credit_rollout.cell',
    'insert on credit_rollout.rate_cards, credit_rollout.rates',
    'select on credit_rollout.rates',
    `select (${FENCER_PLAN_COLUMNS}) on credit_rollout.plans`,
    'select, insert on credit_rollout.plan_requests',
    'usage on sequence credit_rollout.plan_ids',
    'select (run_id, reason, settled_at) on credit_rollout.stale_orgs',
    'select (run_id, cause, movement, outcome, proposes) on credit_rollout.drift',
    'execute on function credit_rollout.adopt_plan, credit_rollout.cut_first_ranges, credit_rollout.add_follow_up, credit_rollout.forget_plan',
    'execute on function credit_rollout.forget_drift',
  ],
};

const MISSING = `select wanted as rolname from unnest(?::text[]) wanted where not exists (select from pg_roles r where r.rolname = wanted)`;

/** Makes the four roles and this login's membership in them; throws roles_missing with the SQL when it may not. */
export async function ensureRoles(tx: CellTransaction, dataCenter: string): Promise<void> {
  const names = CELL_ROLES.map((role) => cellRoleName(dataCenter, role));
  const { rows } = await tx.raw(MISSING, [[...names]]);
  const missing: readonly string[] = rows.map((row: { rolname: string }) => row.rolname);
  const statements = [
    ...missing.map((name) => `create role "${name}" nologin`),
    ...(await findMissingMemberships(tx, names, missing)),
  ];
  if (statements.length === 0) return;
  try {
    await tx.transaction((nested) => nested.raw(statements.join(';\n')));
  } catch (error) {
    throw new RolloutError('roles_missing', {
      message: `The login of data center "${dataCenter}" may not create roles (CREATEROLE is needed once).`,
      next: `As a superuser run:\n${statements.join(';\n')};\nthen run init again.`,
      cause: error,
    });
  }
}

async function findMissingMemberships(
  tx: CellTransaction,
  names: readonly string[],
  missing: readonly string[],
): Promise<readonly string[]> {
  const login = (await tx.raw(`select format('%I', session_user) as login`)).rows[0].login;
  const existing = names.filter((name) => !missing.includes(name));
  const { rows } = await tx.raw(
    `select r.rolname from pg_roles r where r.rolname = any (?::text[]) and not pg_has_role(session_user, r.oid, 'member')`,
    [[...existing]],
  );
  const needed = [...missing, ...rows.map((row: { rolname: string }) => row.rolname)];
  return needed.map((name) => `grant "${name}" to ${login}`);
}

/** Grants each role what it needs; safe to repeat. */
export async function grantRoles(tx: CellTransaction, dataCenter: string): Promise<void> {
  const statements = CELL_ROLES.flatMap((role) => {
    const name = `"${cellRoleName(dataCenter, role)}"`;
    return [
      `grant usage on schema credit_rollout to ${name}`,
      ...GRANTS[role].map((grant) => `grant ${grant} to ${name}`),
    ];
  });
  await tx.raw(
    `revoke all on function credit_rollout.cut_ranges, credit_rollout.cut_first_ranges, credit_rollout.split_batch, credit_rollout.adopt_plan,
       credit_rollout.add_follow_up, credit_rollout.forget_plan, credit_rollout.add_repairs, credit_rollout.retire_allotments,
       credit_rollout.restore_retired from public;\n${statements.join(';\n')}`,
  );
}

/** `init --grant ROLE`: remembers a role of the product; `grantProduct` gives it its rights. */
export async function rememberProductRole(tx: CellTransaction, role: string): Promise<void> {
  const { rows } = await tx.raw('select exists (select from pg_roles where rolname = ?) as found', [role]);
  if (!rows[0].found)
    throw new RolloutError('invalid_argument', {
      message: `--grant names the role "${role}", which does not exist in the cell.`,
      next: 'Correct the name, or create the role first; other data centers are named with --dc.',
    });
  await tx.raw(
    'update credit_rollout.cell set product_roles = array_append(product_roles, ?) where not ? = any (product_roles)',
    [role, role],
  );
}

/** What the product reads and calls, for every remembered role that still exists; views made anew have lost their grants. */
export async function grantProduct(tx: CellTransaction): Promise<void> {
  const { rows } = await tx.raw(
    'select quote_ident(r.rolname) as name from credit_rollout.cell c join pg_roles r on r.rolname = any (c.product_roles)',
  );
  for (const { name } of rows)
    await tx.raw(
      `grant usage on schema credit_rollout to ${name}; grant select on credit_rollout.org_capacity, credit_rollout.allotments to ${name};
       grant execute on function credit_rollout.signup_model, credit_rollout.onboard_org to ${name}`,
    );
}
