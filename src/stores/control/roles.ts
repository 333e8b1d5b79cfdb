// The roles of control and what each may do: as little as its work needs. Logins become members of them; nobody but the
// owner of the schema holds more. Roles belong to the server: two control databases on one server share their names.
import { RolloutError } from '../../kernel/rollout-error.js';
import { runVerbatim, selectRow, selectRows } from '../query.js';
import { createRoleSql, rejectStrongOwner, transferSchema } from '../schema-owner.js';
import type { ControlTransaction } from './control-database.js';

export const CONTROL_ROLES = ['operator', 'approver', 'viewer', 'scheduler'] as const;
export type ControlRole = (typeof CONTROL_ROLES)[number];

/** The role that owns the schema. Nobody can log in as it. */
export const CONTROL_OWNER = 'credit_rollout_control_owner';

export const controlRoleName = (role: ControlRole): string => `credit_rollout_control_${role}`;

const READ = 'select on all tables in schema credit_rollout_control';
const AUDIT = `insert (actor, action, data_center, run_id, epoch, reason, details) on credit_rollout_control.audit`;
const REGISTER = `insert (plan_id, data_center, digest, card_hash, author, snapshot_at, counts, rails,
  cell_seal)
  on credit_rollout_control.plans`;
const APPROVE = `insert (plan_id, kind, reason), update (voided_at, void_reason) on credit_rollout_control.approvals`;
// as it was last read; the truth is in the cell
const SEEN_GATE = 'gate_configured_at, gate_effective_at, gate_latched_at, gate_swept_at';
const FINGERPRINT = 'execute on function credit_rollout_control.seal_key_fingerprint';
// what triggers ask about the login that writes
const PERSON = `execute on function credit_rollout_control.person, credit_rollout_control.has_role,
  credit_rollout_control.may_still_approve, credit_rollout_control.is_still_approver`;
// what is in force, which status and calendar show
const SETTINGS = 'execute on function credit_rollout_control.setting, credit_rollout_control.checks_of';
// what triggers ask about the policy
const POLICY = `execute on function credit_rollout_control.setting, credit_rollout_control.is_pinned_setting,
  credit_rollout_control.checks_of,
  credit_rollout_control.is_instant_of, credit_rollout_control.is_own_login, credit_rollout_control.is_committed,
  credit_rollout_control.guard_rails, credit_rollout_control.inside_rails,
  credit_rollout_control.approves_itself, credit_rollout_control.milliseconds, credit_rollout_control.run_policy`;

const GRANTS: Readonly<Record<ControlRole, readonly string[]>> = {
  operator: [
    READ,
    PERSON,
    POLICY,
    AUDIT,
    REGISTER,
    // a plan inside its guard-rails approves itself; one outside needs an approver
    APPROVE,
    // requests, intents and retries; what leads into a canary needs a used approval, by trigger
    `update (stage, intent, pause_reason, paused_until, lanes, quiet, requested_at, request_reason, epoch,
       not_before_at, not_before_local, cutover_at, cutover_local, failure, plan_id, plan, single_writes, ${SEEN_GATE})
       on credit_rollout_control.data_centers`,
    'update (state, ended_at) on credit_rollout_control.runs',
    'update (epoch, card_hash, card_name, pinned_at) on credit_rollout_control.rollout',
    `insert (data_center, to_at, to_local, reason), update (state, withdrawn_reason)
       on credit_rollout_control.postponements, credit_rollout_control.reversals`,
    'insert (name, to_value, reason), update (state, withdrawn_reason) on credit_rollout_control.policy_changes',
    `insert (data_center, reason, allow_falls), update (state, withdrawn_reason)
       on credit_rollout_control.reconcile_requests`,
    `insert (data_center, kind, number, digest), update (state, withdrawn_reason)
       on credit_rollout_control.cell_proposals`,
    // stricter than the policy, or looser for two hours
    `insert (data_center, name, kind, limit_value, reason), update (limit_value, reason, ended_at)
       on credit_rollout_control.check_limits`,
    'insert (data_center, undo_id, digest, reason), update (ended_at) on credit_rollout_control.undo_requests',
    'insert (parts, reason), update (state, decided_reason) on credit_rollout_control.audit_cuts',
    // arms a cut-over that is late
    'execute on function credit_rollout_control.seal_cutover',
    // sends messages again that were given up
    'update (next_attempt_at) on credit_rollout_control.webhooks',
    'update (state, attempts, error, due_at) on credit_rollout_control.webhook_deliveries',
    FINGERPRINT,
  ],
  approver: [
    READ,
    PERSON,
    POLICY,
    AUDIT,
    APPROVE,
    `update (state, withdrawn_reason) on credit_rollout_control.postponements, credit_rollout_control.reversals,
       credit_rollout_control.policy_changes, credit_rollout_control.reconcile_requests`,
    // an approved postponement or reversal moves the pinned instant; a freeze stops the change feed
    `update (cutover_at, cutover_local, single_writes, ${SEEN_GATE}) on credit_rollout_control.data_centers`,
    'update (state) on credit_rollout_control.cell_proposals',
    'update (state, decided_reason) on credit_rollout_control.audit_cuts',
    // an undo is asked for as its second person approves it
    'insert (data_center, undo_id, digest, reason) on credit_rollout_control.undo_requests',
    `execute on function credit_rollout_control.seal_cutover, credit_rollout_control.seal_reversal,
       credit_rollout_control.seal_cell_proposal`,
    FINGERPRINT,
  ],
  viewer: [READ, PERSON, SETTINGS, FINGERPRINT],
  scheduler: [
    READ,
    PERSON,
    POLICY,
    AUDIT,
    REGISTER,
    APPROVE,
    'update (used_at, used_by_run) on credit_rollout_control.approvals',
    `update (stage, intent, quiet, requested_at, request_reason, run_id, epoch, verified_at, bake_until,
       failure, plan_id, done_at, single_writes, ${SEEN_GATE})
       on credit_rollout_control.data_centers`,
    `insert, update (state, ended_at, counts, epoch, shut_epoch) on credit_rollout_control.runs`,
    'update (epoch) on credit_rollout_control.rollout',
    `update (run_id, ended_at)
       on credit_rollout_control.reconcile_requests, credit_rollout_control.undo_requests`,
    `insert, update (state, started_at, ended_at, run_id, note, counts) on credit_rollout_control.due_work`,
    // by column, and rows are deleted by functions: who may update or delete in all of a table may lock it
    `insert, update (value, limit_value, release, needs_person, position) on credit_rollout_control.holds`,
    `insert, update (seen_at, differs, queue_error, tick_error) on credit_rollout_control.schedulers`,
    'insert (data_center, step, code, object), update (code, object) on credit_rollout_control.failed_steps',
    `execute on function credit_rollout_control.delete_holds, credit_rollout_control.delete_failed_steps,
       credit_rollout_control.delete_scheduler`,
    `insert (webhook), update (seen_at, failures, error, next_attempt_at, leased_until)
       on credit_rollout_control.webhooks`,
    'update (state, attempts, error) on credit_rollout_control.webhook_deliveries',
    `execute on function credit_rollout_control.purge_plans, credit_rollout_control.purge_nights,
       credit_rollout_control.purge_hold_log, credit_rollout_control.purge_webhooks,
       credit_rollout_control.record_lost_approvals,
       credit_rollout_control.seal_run,
       credit_rollout_control.seal_maintenance, credit_rollout_control.seal_cutover,
       credit_rollout_control.seal_retention, credit_rollout_control.seal_checks,
       credit_rollout_control.seal_undo, credit_rollout_control.seal_audit_head`,
    FINGERPRINT,
  ],
};

/** Whether this login may do a scheduler's work: an operator's may not, except where one login is for everything. */
export async function isScheduler(tx: ControlTransaction): Promise<boolean> {
  const { member } = await selectRow<{ readonly member: boolean | null }>(
    tx,
    `select pg_has_role(session_user, to_regrole(:role), 'member') as member`,
    { role: controlRoleName('scheduler') },
  );
  return member === true;
}

/** Throws not_permitted for a login that is no member of the owner, as the login of init is. */
export async function requireControlOwner(tx: ControlTransaction): Promise<void> {
  const { owner } = await selectRow<{ readonly owner: boolean }>(
    tx,
    `select coalesce(pg_has_role(session_user, n.nspowner, 'usage'), false) as owner
     from pg_namespace n where n.nspname = 'credit_rollout_control'`,
  );
  if (owner) return;
  throw new RolloutError('not_permitted', {
    message: 'Which data centers there are is decided by the owner of the control database.',
    next: "Run it with the owner's URL as controlDatabase, as init is run: docs/how-to/install-a-fleet.md",
  });
}

/**
 * Makes the roles that are missing, gives the schema to its owner's role, and leaves each exactly what it needs; safe
 * to repeat. Throws roles_missing with the SQL, not_permitted where the owner's role may do more.
 */
export async function grantControlRoles(tx: ControlTransaction): Promise<void> {
  await createMissingRoles(tx);
  await rejectStrongOwner(tx, CONTROL_OWNER, 'The control database');
  await transferSchema(tx, 'credit_rollout_control', CONTROL_OWNER);
  const everyone = CONTROL_ROLES.map(controlRoleName).join(', ');
  const statements = [
    `revoke all on all tables in schema credit_rollout_control from ${everyone}`,
    // PUBLIC may execute every new function until it is revoked
    `revoke all on all functions in schema credit_rollout_control from public, ${everyone}`,
    `grant usage on schema credit_rollout_control to ${everyone}`,
    ...CONTROL_ROLES.flatMap((role) => GRANTS[role].map((grant) => `grant ${grant} to ${controlRoleName(role)}`)),
    // granted with all tables
    `revoke all on credit_rollout_control.seal_keys from ${everyone}`,
  ];
  await runVerbatim(tx, statements.join(';\n'));
}

async function createMissingRoles(tx: ControlTransaction): Promise<void> {
  const names = [...CONTROL_ROLES.map(controlRoleName), CONTROL_OWNER];
  const missing = await selectRows<{ readonly role: string }>(
    tx,
    `select role from unnest(:names::text[]) role
     where not exists (select from pg_roles r where r.rolname = role)`,
    { names },
  );
  const { login, member } = await selectRow<{ readonly login: string; readonly member: boolean | null }>(
    tx,
    `select format('%I', session_user) as login, pg_has_role(session_user, to_regrole(:owner), 'usage') as member`,
    { owner: CONTROL_OWNER },
  );
  // only a member may give the schema to its owner
  const join = member === true ? [] : [`grant ${CONTROL_OWNER} to ${login}`];
  if (missing.length + join.length === 0) return;
  try {
    const create = missing.map(({ role }) => createRoleSql(role));
    await tx.transaction((nested) => runVerbatim(nested, [...create, ...join].join(';\n')));
  } catch (cause) {
    const statements = [...missing.map(({ role }) => `create role ${role} nologin`), ...join].join(';\n');
    throw new RolloutError('roles_missing', {
      message: 'The login of the control database may not create roles (CREATEROLE is needed once).',
      next: `As a superuser run:\n${statements};\nthen run init again.`,
      cause,
    });
  }
}
