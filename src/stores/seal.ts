// What control proves to a cell: a JSON document with its HMAC, made and checked by the databases. Here it is a text
// that nobody reads or changes on its way.
import type { ErrorCode } from '../kernel/error-codes.js';
import { classifyFailure } from './postgres-failure.js';

/** The document as text, so that no number of it goes through a parser. */
export type Seal = string;

const FAILURES = {
  seal_key_missing: 'not_initialised',
  seal_wrong: 'seal_wrong',
  seal_expired: 'seal_expired',
  seal_used: 'seal_used',
  plan_edited: 'plan_edited',
  undo_outdated: 'undo_outdated',
  undo_gate_armed: 'cutover_begun',
} as const satisfies Readonly<Record<string, ErrorCode>>;

export type SealFailure = (typeof FAILURES)[keyof typeof FAILURES];

/** Why a database did not make or accept a seal; undefined: the error is another one. */
export function readSealFailure(error: unknown): SealFailure | undefined {
  const { ours } = classifyFailure(error);
  return Object.entries(FAILURES).find(([constraint]) => constraint === ours)?.[1];
}
