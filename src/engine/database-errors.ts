// Turns what a database threw into an error for people: code, sentence, next step. Never shows the server's own text,
// which may hold org data.
import { advise, command } from '../kernel/advice.js';
import { explainLoginFailure, isForeignAnswer } from '../kernel/login-failure.js';
import { isRolloutError, RolloutError } from '../kernel/rollout-error.js';
import { explainTlsFailure } from '../kernel/tls.js';
import {
  classifyFailure,
  type FailureKind,
  isFromOurFunction,
  isServerText,
  isStatementRejected,
  routineOf,
  subjectOf,
} from '../stores/postgres-failure.js';
import { RefusedFunction } from '../stores/refused-function.js';
import { readSealFailure, type SealFailure } from '../stores/seal.js';

export { isServerText };

/** What a driver throws without any code: a connection that broke, or a server that never answered. */
const WITHOUT_CODE: Readonly<Partial<Record<FailureKind, string>>> = {
  retry: 'connection_lost',
  login_refused: 'login_refused',
  unreachable: 'no_answer',
};

/**
 * The code of an error, as `status` and the log show it: that of the registry, the SQLSTATE, that of the network, or
 * `connection_lost`, `no_answer`, `other`; never its text.
 */
export function errorCodeOf(error: unknown): string {
  if (error instanceof RefusedFunction) return 'server_unsupported';
  if (isNotPopulated(error)) return 'source_not_populated';
  const { sqlstate, kind } = classifyFailure(error);
  return sqlstate ?? WITHOUT_CODE[kind] ?? 'other';
}

/** Why a cell cannot be read: as `errorCodeOf`, but what is decided about has a code of its own. */
export function nameReadFailure(error: unknown): string {
  const { kind } = classifyFailure(error);
  if (kind === 'missing') return 'not_initialised';
  return kind === 'read_only' ? kind : errorCodeOf(error);
}

/**
 * A registry error for `error`; anything that is no database failure comes back as it is. It names the database that
 * the error came from, or `otherwise` for one that came from none of ours. Called where an error becomes a text or a
 * code.
 */
export function explainFailure(error: unknown, otherwise = 'A database'): unknown {
  if (isRolloutError(error)) return error;
  const { title: subject, kind: where } = subjectOf(error) ?? { title: otherwise, kind: 'unknown' };
  if (error instanceof RefusedFunction)
    return new RolloutError('server_unsupported', {
      message: `${subject}: its server refuses ${error.called} (SQLSTATE ${error.sqlstate}), which is needed.`,
      cause: error,
    });
  const seal = readSealFailure(error);
  if (seal !== undefined) return new RolloutError(seal, { message: `${subject}: ${SEAL_TEXTS[seal]}.`, cause: error });
  const { kind, sqlstate, object, ours, raised } = classifyFailure(error);
  const at = describeCode(sqlstate, object);
  if (raised && where === 'cell') return explainSource(error, subject, sqlstate);
  switch (kind) {
    case 'unreachable':
      if (explainTlsFailure(error) !== undefined) return explainTls(error, subject, at);
      if (isForeignAnswer(error))
        return new RolloutError('database_unreachable', {
          message: `${subject}: what answers at its address does not speak as PostgreSQL does.`,
          cause: error,
        });
      return new RolloutError('database_unreachable', {
        message: `${subject}: its database cannot be reached${at}.`,
        cause: error,
      });
    case 'login_refused':
      return new RolloutError('database_refused', {
        message: `${subject}: ${explainLoginFailure(error) ?? 'its database refused the login'}${at}.`,
        cause: error,
      });
    case 'read_only':
      return new RolloutError('read_only', {
        message: `${subject}: its database accepts no writes now: its transactions are read-only${at}.`,
        cause: error,
      });
    case 'not_permitted':
      return explainPermission(error, { subject, at, where });
    case 'retry':
    case 'too_slow':
      return new RolloutError('cell_busy', { message: `${subject}: ${nameDelay(sqlstate)}${at}.`, cause: error });
    case 'resources':
      return new RolloutError('database_unreachable', {
        message: `${subject}: its database is out of resources${at}.`,
        cause: error,
      });
    case 'missing':
      return new RolloutError('not_initialised', {
        message: `${subject}: our schema, one of our roles, or (after detach) our views are missing${at}.`,
        cause: error,
      });
    default:
      if (sqlstate === '2BP01') return explainDependents(error, subject, at);
      if (sqlstate === '3D000')
        return new RolloutError('database_unreachable', {
          message: `${subject}: its URL names a database that does not exist${at}.`,
          cause: error,
        });
      if (!isServerText(error)) return error;
      if (ours !== undefined)
        return new RolloutError('rule_violation', {
          message: `${subject}: its database refused a write that breaks a rule of ours${at}; nothing was written.`,
          next: 'Report it with this name: it is a bug of ours.',
          cause: error,
        });
      if (isStatementRejected(error))
        return new RolloutError('database_failed', {
          message: `${subject}: its database does not know something that a statement of this program names${at}.`,
          next: advise`Run: ${command('init')}, with the same version of this program. If it fails again, report it with this code: it is a bug of ours.`,
          cause: error,
        });
      // only a database without an encoding gives bytes that are no text
      if (where === 'cell' && sqlstate === NO_TEXT)
        return new RolloutError('encoding_unsupported', {
          message: `${subject}: it holds bytes that are no text, as an id or an edition for example${at}.`,
          cause: error,
        });
      if (where === 'cell' && isOfSource(error) && !IS_OF_SERVER.test(sqlstate ?? ''))
        return explainSource(error, subject, sqlstate);
      return new RolloutError('database_failed', {
        message: `${subject}: its database could not execute a statement${at}.`,
        cause: error,
      });
  }
}

/** Only the server says it from there; its SQLSTATE means many things. */
const isNotPopulated = (error: unknown): boolean =>
  classifyFailure(error).sqlstate === '55000' && routineOf(error) === 'ExecOpenScanRelation';

/** What took too long, and whose limit it was: a session of ours is not blamed on others. */
function nameDelay(sqlstate: string | undefined): string {
  switch (sqlstate) {
    case '25P03':
    case '25P04':
      return 'this program was so slow between two statements that its own time limit ended the transaction';
    case '57014':
      return "a statement took longer than this program's own time limit, or somebody cancelled it";
    case '55P03':
      return "a lock that is needed was not free within this program's own time limit";
    case '40001':
    case '40P01':
      return 'another session wrote the same rows at the same moment';
    default:
      return 'its database ended the connection';
  }
}

const NO_TEXT = '22021';

/** The server itself, its disk or its files: no code of the product, which can only raise these on purpose. */
const IS_OF_SERVER = /^(58|XX)/u;

/** A statement of ours was right, and what it ran was not: only code of the product is left. */
const isOfSource = (error: unknown): boolean =>
  isServerText(error) && !isStatementRejected(error) && !isFromOurFunction(error);

/** What only the product can mend: its view, what that calls, or a trigger of its own. */
function explainSource(error: unknown, subject: string, sqlstate: string | undefined): RolloutError {
  if (isNotPopulated(error))
    return new RolloutError('source_not_populated', {
      message: `${subject}: its source reads a materialized view that was never refreshed.`,
      cause: error,
    });
  const code = sqlstate === undefined ? 'a SQLSTATE of its own' : `SQLSTATE ${sqlstate}`;
  return new RolloutError('source_failed', {
    message: `${subject}: the view of the source, or other code of the product, raised an error (${code}).`,
    cause: error,
  });
}

function explainTls(error: unknown, subject: string, at: string): RolloutError {
  return new RolloutError('database_unreachable', {
    message: `${subject}: its database cannot be reached: ${explainTlsFailure(error)}${at}.`,
    next: 'Correct the certificate of the server, or the URL: docs/how-to/tls.md',
    cause: error,
  });
}

const SEAL_TEXTS: Readonly<Record<SealFailure, string>> = {
  not_initialised: 'it has no key for seals yet',
  seal_wrong: 'control did not seal this approval for this data center, or its key is another one',
  seal_expired: 'the seal of this approval is older than an hour by the clock of the cell',
  seal_used: 'this approval was used before, or the cell has a newer one',
  plan_edited: 'the plan is not the one that was approved',
  undo_outdated: 'what is to be undone has changed since',
  cutover_begun: 'its gate is armed',
};

/** The SQLSTATE or the network's code, and the object of ours that the server named. */
function describeCode(code: string | undefined, object: string | undefined): string {
  if (code === undefined) return '';
  const named = /^[0-9A-Z]{5}$/u.test(code) ? `SQLSTATE ${code}` : code;
  return ` (${named}${object === undefined ? '' : `, ${object}`})`;
}

/** The server's detail names what depends on our views: an object of the catalog, never data. */
function explainDependents(error: unknown, subject: string, at: string): RolloutError {
  const detail = LISTS_DEPENDENTS.test(routineOf(error) ?? '')
    ? String((error as { readonly detail?: unknown }).detail ?? '')
    : '';
  const named = /^([a-z ]+ [^\n]{1,200}) depends on/u.exec(detail)?.[1] ?? 'an object of yours';
  return new RolloutError('views_in_use', {
    message: `${subject}: ${named} depends on a view of ours that must be created again${at}.`,
    cause: error,
  });
}

/** The functions of the server that compare a login with the catalog: code of the product can raise the same words. */
const CHECKS_PERMISSION = /^(aclcheck_error\w*|check_enable_rls)$/u;
const LISTS_DEPENDENTS = /^(reportDependentObjects|ATPostAlterTypeCleanup|RememberAllDependentForRebuilding)$/u;

/** What the server denied: an object of the catalog, by its name without a schema, never data. */
export function nameDenied(error: unknown): { readonly name: string; readonly text: string } | undefined {
  if (!(error instanceof Error) || !CHECKS_PERMISSION.test(routineOf(error) ?? '')) return undefined;
  const [text, name] =
    /permission denied for [a-z ]*(?:table|view|sequence|schema|function) "?([^\n"]{1,130}?)"?$/mu.exec(
      error.message,
    ) ?? [];
  return text === undefined || name === undefined ? undefined : { name, text };
}

/** Our transactions begin with `set local role`; the pattern lets no name but that of a role of ours through. */
const SETS_ROLE = /^(call_string_check_hook|check_role)$/u;
// knex writes the statement before what the server said
const OUR_ROLE = /(?:^| - )permission denied to set role "(credit_rollout_[a-z0-9_]{1,60})"$/u;

/** Where nothing shows the GRANT: where a login gets its roles. */
const WAY_OUT = {
  control:
    'Use a login that has the role for this, or have the owner of control give it: ' +
    'docs/reference/roles.md#roles-of-the-control-database',
  cell: undefined,
  unknown: undefined,
} as const;

interface Denial {
  readonly subject: string;
  readonly at: string;
  readonly where: keyof typeof WAY_OUT;
}

function explainPermission(error: unknown, { subject, at, where }: Denial): RolloutError {
  const [, role] =
    error instanceof Error && SETS_ROLE.test(routineOf(error) ?? '') ? (OUR_ROLE.exec(error.message) ?? []) : [];
  if (role !== undefined)
    return new RolloutError('not_permitted', {
      message: `${subject}: this login is not a member of ${role}${at}.`,
      next: `As a superuser, or as who may give the role, run: GRANT ${role} TO "the login";`,
      cause: error,
    });
  // the server names the object ("permission denied for table orgs"): an object of the catalog, never data
  const text =
    error instanceof Error && CHECKS_PERMISSION.test(routineOf(error) ?? '')
      ? /permission denied for [a-z ]+ "?[^\n"]{1,130}"?$|row-level security/mu.exec(error.message)?.[0]
      : undefined;
  if (text?.includes('row-level security'))
    return new RolloutError('source_row_security', {
      message: `${subject}: row-level security would hide rows of the source from us${at}.`,
      cause: error,
    });
  return new RolloutError('not_permitted', {
    message: `${subject}: ${text ?? 'the database denied a statement'}${at}.`,
    ...(WAY_OUT[where] !== undefined && { next: WAY_OUT[where] }),
    cause: error,
  });
}
