// What a server can say instead of executing a statement, one list for each class of SQLSTATEs, and what every command
// must make of it: a code of the registry with its exit code, one sentence with a way out, nothing of the server's text.
import { expect } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/kernel/error-codes.js';
import type { Injection } from '../support/injecting-proxy.js';

export type Fault = Pick<Injection, 'sqlstate' | 'as' | 'fields'>;

export const MARKER = 'mk7f3a91';
/** As the server says where in a statement it stopped. */
const AT = { P: '8', R: 'scanner_yyerror' };
const error = (sqlstate: string, fields: Fault['fields'] = { R: 'injected' }): Fault => ({
  sqlstate,
  as: 'error',
  fields,
});
const fatal = (sqlstate: string): Fault => ({ sqlstate, as: 'fatal' });
const refused = (sqlstate: string): Fault => ({ sqlstate, as: 'refused' });
const unanswered = (sqlstate: string): Fault => ({ sqlstate, as: 'unanswered' });
/** By PL/pgSQL, in code of somebody else. */
const RAISED = { R: 'exec_stmt_raise', W: 'PL/pgSQL function public.f() line 1 at RAISE' };
const OURS = { R: 'exec_stmt_raise', W: 'PL/pgSQL function credit_rollout.f() line 1 at RAISE' };
/** What a pooler sends: no function, no constraint. */
const POOLER = {};

/** By class; the n-th turn of a class takes its n-th fault. */
export const FAULTS: Readonly<Record<string, readonly Fault[]>> = {
  '08': [unanswered('08006'), error('08P01', POOLER), refused('08006'), fatal('08006')],
  '22': [error('22003'), error('22P02'), error('22008', OURS)],
  '23': [error('23514'), error('23505'), error('23502', OURS), error('23503')],
  '25': [error('25006'), error('25P02'), error('25P03'), error('25001')],
  '28': [refused('28P01'), error('28000'), refused('28000')],
  '3D': [refused('3D000'), error('3D000')],
  '40': [error('40001'), error('40P01'), error('40001', RAISED)],
  '42': [error('42501'), error('42703', AT), error('42P01', AT), error('42883'), error('42601', AT)],
  '53': [error('53200'), refused('53300'), error('53100'), error('53400', POOLER)],
  '55': [error('55P03'), error('55000'), error('55006')],
  '57': [fatal('57P01'), error('57014'), refused('57P03'), unanswered('57P01')],
  '58': [error('58030'), error('58P01')],
  P0: [error('P0001', RAISED), error('P0002', OURS), error('P0001', POOLER)],
  XX: [error('XX000'), error('XX001'), error('XX000', OURS)],
};

const isDocumented = (code: string): code is ErrorCode => code in ERRORS;
/** What a command may return that did not throw; 130 and 143 are a signal's. */
const EXIT_CODES: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const SENTENCE = /^[A-Z"].*[.:]$/u;

interface Shown {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What is wrong with what a command showed with --json; nothing where all is right. */
export function findWrong({ code, out, err }: Shown): readonly string[] {
  const wrong = (out + err).toLowerCase().includes(MARKER) ? [`a text of the server: ${out}${err}`] : [];
  if (/"internal"|\[internal\]|"other"|\[other\]/u.test(out + err)) wrong.push(`a bug: ${out}${err}`);
  if (!EXIT_CODES.includes(code)) wrong.push(`exit code ${code}`);
  const { error: shown } = parse(out);
  if (shown === undefined) return wrong;
  if (!isDocumented(shown.code)) return [...wrong, `an unknown code: ${shown.code}`];
  if (ERRORS[shown.code].exit !== code) wrong.push(`${shown.code} with exit code ${code}`);
  if (!SENTENCE.test(shown.message)) wrong.push(`no sentence: ${shown.message}`);
  if (shown.next.length < 10) wrong.push(`no way out: ${shown.next}`);
  return wrong;
}

interface ShownError {
  readonly error?: { readonly code: string; readonly message: string; readonly next: string };
}

function parse(out: string): ShownError {
  if (out === '') return {};
  const document: unknown = JSON.parse(out);
  expect(document).toBeTypeOf('object');
  return document as ShownError;
}
