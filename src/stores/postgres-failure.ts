// What a Postgres error means for us, by SQLSTATE: the one place that defines what is retried, and what of an error may
// be shown. Never the server's text: code of the product that we read through a view writes it, with org data in it.
// Such code can also raise any SQLSTATE, and name a constraint or a table that is none.

import { explainLoginFailure, isForeignAnswer } from '../kernel/login-failure.js';
import { SQLSTATE } from '../kernel/sqlstate.js';
import { explainTlsFailure } from '../kernel/tls.js';

export const FAILURE_KINDS = [
  'retry',
  'too_slow',
  'resources',
  'rule_broken',
  'bad_value',
  'duplicate',
  'unreachable',
  'login_refused',
  'not_permitted',
  'missing',
  'read_only',
  'other',
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

export interface PostgresFailure {
  readonly kind: FailureKind;
  /** One of Postgres, or the network's code; undefined for a code that somebody else made up. */
  readonly sqlstate: string | undefined;
  /** Constraint or table of the catalog that the server named: for a terminal, never a value. */
  readonly object: string | undefined;
  /** The same where it is one of ours: this may leave the cell. */
  readonly ours: string | undefined;
  /** Code of the product raised it on purpose: its SQLSTATE says nothing about the server, nor about us. */
  readonly raised: boolean;
}

const BY_STATE: readonly (readonly [RegExp, FailureKind])[] = [
  [/^(40001|40P01|55P03|57P0.|08...|25P03|25P04)$/u, 'retry'],
  [/^57014$/u, 'too_slow'],
  [/^53...$/u, 'resources'],
  [/^(23514|23502|23001)$/u, 'rule_broken'],
  [/^23505$/u, 'duplicate'],
  [/^22...$/u, 'bad_value'],
  [/^28...$/u, 'login_refused'],
  [/^42501$/u, 'not_permitted'],
  [/^25006$/u, 'read_only'],
];
const NETWORK =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENOENT|EHOSTUNREACH|ENETUNREACH|EINVAL|ERR_SOCKET_BAD_PORT)$/u;
const LOST =
  /^(ECONNRESET|EPIPE)$|Connection terminated|connection is closed|Client has encountered a connection error/u;

/** A database, and whether it is a cell, where code of the product runs. */
export interface FailureSubject {
  /** As a sentence begins with it: `Data center "eu"`. */
  readonly title: string;
  readonly kind: 'control' | 'cell';
}

/** By what was thrown: a server's error object belongs to one database. */
const subjects = new WeakMap<object, FailureSubject>();

/** Runs `work` and attaches `subject` to what it throws. Where one call is inside another, the inner subject counts. */
export async function withSubject<T>(subject: FailureSubject, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (typeof error === 'object' && error !== null && !subjects.has(error)) subjects.set(error, subject);
    throw error;
  }
}

/** The database that `error` came from; undefined: from none of ours. */
export const subjectOf = (error: unknown): FailureSubject | undefined =>
  typeof error === 'object' && error !== null ? subjects.get(error) : undefined;

/** The functions of the server that find a broken constraint. */
const FINDS_BREACH = new RegExp(
  `^(${[
    'ExecConstraints',
    'ExecRelCheck',
    'ReportNotNullViolationError',
    'ExecWithCheckOptions',
    'ri_ReportViolation',
    '_bt_check_unique',
    'check_exclusion_or_unique_constraint',
    String.raw`ExecEvalConstraint\w+`,
    'domain_check_input',
    'errdomainconstraint',
    String.raw`comparetup_index_btree\w*`,
  ].join('|')})$`,
  'u',
);
const OUR_SCHEMAS: readonly unknown[] = ['credit_rollout', 'credit_rollout_control'];

/** What our functions raise under a name, as if a constraint of that name were broken. */
export const RAISED_NAMES: readonly string[] = [
  'adoption_outdated',
  'allotments_first_decision',
  'allotments_floor_falls_only_with_cause',
  'allotments_follow_rule',
  'allotments_need_open_work',
  'approvals_approver_left',
  'approvals_inside_rails_check',
  'approvals_plan_id_fkey',
  'approvals_two_people_check',
  'approvals_void_reason_check',
  'audit_cut_form_check',
  'audit_cut_function_check',
  'audit_cut_lost_check',
  'audit_entries_check',
  'audit_shape_check',
  'canary_not_passed',
  'check_limits_known_check',
  'data_centers_canary_inside_rails',
  'data_centers_canary_needs_approval',
  'data_centers_pause_length_check',
  'data_centers_pin_policy_check',
  'data_centers_removed_check',
  'data_centers_request_check',
  'data_centers_undo_requested_check',
  'decided_at_commit',
  'drift_needs_open_run',
  'due_work_in_time_check',
  'exceptions_decided_once',
  'exceptions_org_known',
  'freezes',
  'gate_swept_by_run',
  'instants_in_range_check',
  'org_known',
  'overrides_end_check',
  'overrides_need_rest',
  'plan_edited',
  'plans_rails_check',
  'policy_changes_changes_check',
  'policy_changes_current_check',
  'policy_changes_name_fkey',
  'policy_changes_unpinned_check',
  'policy_changes_value_check',
  'postponements_future_check',
  'rates_hash_check',
  'reconcile_requests_in_time_check',
  'repairs_decided_once',
  'repairs_need_rest',
  'repairs_outdated',
  'reversals_future_check',
  'runs_epoch_taken_check',
  'runs_night_due_check',
  'runs_rollout_begun_check',
  'seal_expired',
  'seal_key_missing',
  'seal_used',
  'seal_wrong',
  'texts_length_check',
  'undo_gate_armed',
  'undo_outdated',
  'usage_days_kinds_form_check',
  'webhooks_count_check',
  'written_at_read_committed',
];

interface Described {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly severity?: unknown;
  readonly schema?: unknown;
  readonly constraint?: unknown;
  readonly table?: unknown;
  readonly routine?: unknown;
  readonly name?: unknown;
  readonly position?: unknown;
  readonly where?: unknown;
}

/** The server's own function that raised an error: no code in its databases can pretend one. */
export const routineOf = (error: unknown): string | undefined => {
  const { routine } = (error ?? {}) as Described;
  return typeof routine === 'string' ? routine : undefined;
};

/** A database server wrote the text of this error. */
export const isServerText = (error: unknown): boolean =>
  error instanceof Error && typeof (error as Described).severity === 'string';

/** The innermost function, as every language of the server writes its name: quotes only where it is none of ours. */
const IN_OUR_FUNCTION = /^[^"\n]*?(?:^|[^\w."])credit_rollout(?:_control)?\.\w+\(/u;

/** A function of ours failed by itself, not code of the product that it called. */
export const isFromOurFunction = (error: unknown): boolean =>
  isServerText(error) && IN_OUR_FUNCTION.test(String((error as Described).where ?? ''));

/** RAISE of plpgsql, by anyone but our own functions. */
const isRaised = (error: Described): boolean =>
  routineOf(error) === 'exec_stmt_raise' &&
  !isFromOurFunction(error) &&
  !RAISED_NAMES.some((name) => [error.constraint, error.table].includes(name));

/** The functions of the server that find out that a relation, schema, function or role is not there. */
const FINDS_MISSING = new RegExp(
  `^(${[
    'parserOpenTable',
    'RangeVarGetRelidExtended',
    'get_namespace_oid',
    'LookupExplicitNamespace',
    'ParseFuncOrColumn',
    String.raw`LookupFuncName\w*`,
    'call_string_check_hook',
    String.raw`set_config\w*`,
  ].join('|')})$`,
  'u',
);
/** Ours, as every language of the server names it at the end of its text. What stands before is the statement. */
const NAMES_OURS = /(?:^|[^\w.])credit_rollout(?:_\w+)?(?:\.|\W+\w*\W*|$)/u;

/** A relation, schema, function or role of ours does not exist; not: one that the product's code looks for. */
function isMissing(error: Described, state: string | undefined): boolean {
  if (!['42P01', '3F000', '42883', '22023'].includes(state ?? '')) return false;
  if (!FINDS_MISSING.test(routineOf(error) ?? '')) return false;
  const text = String(error.message);
  return NAMES_OURS.test(text.slice(text.lastIndexOf(' - ') + 1));
}

/** The server rejected our statement before anything of the product ran: a bug, or a schema that is old. */
export const isStatementRejected = (error: unknown): boolean =>
  isServerText(error) && (error as Described).position !== undefined;

/** What a row or the code of a view can cause, whoever reads it: also by a domain, a CASE, or too deep a function. */
const OF_A_ROW = /^(0A|2[0-3F]|38|39|44|54|P0)/u;

/** What dynamic SQL looks for in vain; but a missing right is missing for every row. */
const OF_DYNAMIC_SQL = /^42(?!501)/u;
const IN_A_FUNCTION = /^(?:PL\/pgSQL|SQL) function /u;

const isFromTheirFunction = (error: unknown): boolean =>
  IN_A_FUNCTION.test(String((error as Described).where ?? '')) && !isFromOurFunction(error);

/**
 * Reading one row of the source, or writing what the rule gives for it, may have caused this: other orgs can be read
 * without it. What code of the product raises on purpose is of its row under any SQLSTATE.
 */
export function isRowFailure(error: unknown): boolean {
  if (!isServerText(error) || isStatementRejected(error)) return false;
  const { sqlstate, ours, raised } = classifyFailure(error);
  if (raised) return true;
  if (ours !== undefined || routineOf(error) === 'exec_stmt_raise') return false;
  return OF_A_ROW.test(sqlstate ?? '') || (OF_DYNAMIC_SQL.test(sqlstate ?? '') && isFromTheirFunction(error));
}

function nameObject(error: Described): Pick<PostgresFailure, 'object' | 'ours'> {
  const named = [error.constraint, error.table].find((value): value is string => typeof value === 'string');
  if (named === undefined) return { object: undefined, ours: undefined };
  if (RAISED_NAMES.includes(named)) return { object: named, ours: named };
  if (!FINDS_BREACH.test(routineOf(error) ?? '')) return { object: undefined, ours: undefined };
  return { object: named, ours: OUR_SCHEMAS.includes(error.schema) ? named : undefined };
}

function nameState(error: Described): string | undefined {
  const { code } = error;
  if (typeof code !== 'string') return undefined;
  return typeof error.severity === 'string' && !SQLSTATE.test(code) ? undefined : code;
}

/** Classifies anything that a query threw. */
export function classifyFailure(error: unknown): PostgresFailure {
  const described = (error ?? {}) as Described;
  const { message, name } = described;
  const state = nameState(described);
  const kind =
    (isMissing(described, state) ? 'missing' : undefined) ??
    BY_STATE.find(([pattern]) => state !== undefined && pattern.test(state))?.[1] ??
    (explainLoginFailure(error) === undefined ? undefined : 'login_refused') ??
    (NETWORK.test(state ?? '') ||
    name === 'KnexTimeoutError' ||
    explainTlsFailure(error) !== undefined ||
    isForeignAnswer(error)
      ? 'unreachable'
      : undefined) ??
    (LOST.test(state ?? '') || LOST.test(String(message)) ? 'retry' : undefined) ??
    (/timeout expired|connect/iu.test(String(message)) && described.code === undefined ? 'unreachable' : 'other');
  return { kind, sqlstate: state, ...nameObject(described), raised: isRaised(described) };
}
