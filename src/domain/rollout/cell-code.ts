// What a scheduler takes for a code when it reads a text in a cell. Logins of the cell write those texts, and code of
// the product runs there; control keeps what it is told for ever. So nothing but a code that is known here passes.
import { ERRORS } from '../../kernel/error-codes.js';
import { SQLSTATE } from '../../kernel/sqlstate.js';

const OTHER_CODES: ReadonlySet<string> = new Set([
  // why a worker closed a fence, where no constraint was named; the server names a table alone for a missing value
  ...['rule_violation', 'batch_too_slow', 'source_too_slow', 'allotment_changes', 'allotments', 'batches', 'drift'],
  ...['allotments_floor_falls_only_with_cause', 'allotments_follow_rule', 'allotments_need_open_work'],
  'allotments_first_decision',
  ...['quarantine', 'stale_orgs'],
  // what stands for a failure for which no database gave a code
  ...['connection_lost', 'no_answer', 'missing', 'unreachable', 'login_refused', 'retry', 'too_slow', 'resources'],
  ...['rule_broken', 'bad_value', 'duplicate'],
  // why a check has no value
  ...['no_standby', 'archive_off', 'not_a_number'],
  // of a network, and of TLS
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'ENOENT', 'EHOSTUNREACH'],
  ...['ENETUNREACH', 'EACCES', 'EMFILE', 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
]);

/** The code, or `other` where this version knows none of that name; null stays null. */
export function toKnownCode(text: string): string;
export function toKnownCode(text: string | null): string | null;
export function toKnownCode(text: string | null): string | null {
  if (text === null || SQLSTATE.test(text) || Object.hasOwn(ERRORS, text) || OTHER_CODES.has(text)) return text;
  return 'other';
}
