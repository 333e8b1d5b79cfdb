// What one operator may set of the checks of a data center: stricter than the policy, for as long as they wish, or
// looser for two hours. What stays looser is a change of the policy, which two people make.
import { type Advice, advise, command } from '../../kernel/advice.js';
import { findNearest } from '../../kernel/nearest-word.js';
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { formatIsoDuration, parseDuration } from '../time/duration.js';
import { BUILT_IN_CHECKS, type CheckSpec, isDuration, toCheck } from './check.js';

/** A check as it is in force in a data center: its limit, and what it is loosened to. */
export interface CheckInForce extends CheckSpec {
  readonly loosened?: Loosened;
}

export interface Loosened {
  /** In ms for a time; null: the check is off. */
  readonly limit: number | null;
  /** ISO 8601, by control's clock. */
  readonly until: string;
}

/** As one operator asks for it: a number in the unit of the check, in ms for a time. */
export type WantedLimit = number | 'off';

export interface LimitQuestion {
  /** Of the data center, for commands that lead on. */
  readonly dataCenter: string;
  readonly name: string;
  /** As the person wrote it. */
  readonly value: string;
  /** Of the policy. */
  readonly policy: readonly CheckSpec[];
  readonly emergency: boolean;
}

export interface LimitDecision {
  readonly kind: 'tightened' | 'loosened';
  /** Null: off. */
  readonly limit: number | null;
}

/**
 * What a person may set alone. Throws setting_unknown, invalid_argument, and setting_refused with both ways on for what
 * would be looser than the policy.
 */
export function decideLimit({ dataCenter, name, value, policy, emergency }: LimitQuestion): LimitDecision {
  rejectUnknownCheck(name, policy);
  const spec = policy.find((one) => one.name === name);
  const wanted = parseLimit(name, value, spec && toCheck(spec).limit);
  if (spec === undefined && wanted !== 'off' && !emergency) return { kind: 'tightened', limit: wanted };
  const own = spec === undefined ? null : toCheck(spec).limit;
  const isLooser = wanted === 'off' || own === null || wanted > own;
  if (spec === undefined)
    throw refused(`The policy has no check ${name}, so it cannot be loosened.`, 'Nothing is to be done.');
  if (!isLooser && emergency)
    throw refused(`A limit of ${value} is not looser than the policy's.`, 'Leave --emergency out.');
  if (!isLooser && wanted === own)
    throw refused(
      `The check ${name} has this limit in the policy.`,
      advise`Take back what is set: ${command`settings unset ${`checks.${name}`} --dc ${dataCenter}`}`,
    );
  if (!isLooser) return { kind: 'tightened', limit: wanted };
  if (emergency) return { kind: 'loosened', limit: wanted === 'off' ? null : wanted };
  const looser = wanted === 'off' ? `The check ${name} off` : `A limit of ${value} for the check ${name}`;
  throw refused(
    `${looser} is looser than the policy, which takes a second person.`,
    advise`Propose it for all data centers: ${command`settings propose ${`rollout.checks.${name}`} ${value} --execute --reason TEXT`}; or loosen it here for two hours: ${command`settings set ${`checks.${name}`} ${value} --dc ${dataCenter} --emergency --execute --reason TEXT`}`,
  );
}

const refused = (message: string, next: string | Advice): RolloutError =>
  new RolloutError('setting_refused', { message, next });

/** Throws setting_unknown where it is neither of the policy nor built in. */
export function rejectUnknownCheck(name: string, policy: readonly CheckSpec[]): void {
  const names = [...new Set([...policy.map((one) => one.name), ...Object.keys(BUILT_IN_CHECKS)])];
  if (names.includes(name)) return;
  const meant = findNearest(name, names);
  throw new RolloutError('setting_unknown', {
    message: `There is no check ${quoteValue(name)}${meant === undefined ? '.' : `; did you mean ${meant}?`}`,
    next: meant === undefined ? `Write one of ${names.join(', ')}.` : `Write checks.${meant}.`,
  });
}

const MILLISECONDS = /^(\d{1,9}) ?ms$/u;

/** `own`: undefined where the policy does not have it; null where its query returns true or false. */
function parseLimit(name: string, text: string, own: number | null | undefined): WantedLimit {
  if (text === 'off') return 'off';
  if (own === null)
    throw new RolloutError('invalid_argument', {
      message: `The check ${name} has no limit: its query returns true or false. ${quoteValue(text)} is neither of them.`,
      next: 'It can only be off, for two hours: write off, and --emergency.',
    });
  const number = isDuration(name) ? parseMs(text) : Number(text);
  if (number > (name === 'probe' ? 1 : 0) && Number.isFinite(number) && text.trim() !== '') return number;
  const rule = isDuration(name)
    ? 'a duration above 0, such as PT2S or 500ms'
    : `a number above ${name === 'probe' ? '1, which is the time of a calm read' : '0'}`;
  throw new RolloutError('invalid_argument', {
    message: `The limit of the check ${name} must be ${rule}, or off; ${quoteValue(text)} is none of them.`,
    next: 'Write it as rollout.checks has it.',
  });
}

function parseMs(text: string): number {
  const ms = MILLISECONDS.exec(text);
  if (ms !== null) return Number(ms[1]);
  try {
    return parseDuration(text);
  } catch {
    return Number.NaN;
  }
}

/** The checks at an instant: what is loosened has its looser limit, and what is off is left out. */
export const readChecksAt = (checks: readonly CheckInForce[], now: Date): readonly CheckSpec[] =>
  checks.flatMap(({ loosened, ...spec }) => {
    if (loosened === undefined || new Date(loosened.until) <= now) return [spec];
    return loosened.limit === null ? [] : [{ ...spec, limit: loosened.limit }];
  });

/** As a cell stores a check. */
export interface CheckInCell {
  readonly name: string;
  readonly query: string | null;
  readonly ownLimit: number | null;
  readonly loosenedLimit: number | null;
  readonly loosenedUntil: Date | null;
}

/** Whether a cell has other checks than control wants it to have. `now`: by the cell's clock. */
export function hasOtherChecks(wanted: readonly CheckInForce[], inCell: readonly CheckInCell[], now: Date): boolean {
  const due = wanted.filter(({ holds = ['write'] }) => holds.includes('write'));
  return due.length !== inCell.length || due.some((check) => !inCell.some((one) => isSameCheck(check, one, now)));
}

function isSameCheck({ loosened, ...spec }: CheckInForce, one: CheckInCell, now: Date): boolean {
  const { name, query, limit } = toCheck(spec);
  if (name !== one.name || query !== one.query || !isSameNumber(limit, one.ownLimit)) return false;
  const until = loosened === undefined ? 0 : new Date(loosened.until).getTime();
  const there = one.loosenedUntil?.getTime() ?? 0;
  // what is over is over in both
  if (until <= now.getTime() && there <= now.getTime()) return true;
  return until === there && isSameNumber(loosened?.limit ?? null, one.loosenedLimit);
}

const isSameNumber = (one: number | null, other: number | null): boolean =>
  one === null || other === null ? one === other : Math.abs(one - other) <= Math.abs(one) * 1e-9;

/** A change of one check as a change of `rollout.checks`: its name and the whole list. */
export function toChecksSetting(
  name: string,
  value: string,
  policy: readonly CheckSpec[],
): { readonly name: string; readonly value: string } | undefined {
  const check = /^rollout\.checks\.(.+)$/u.exec(name)?.[1];
  if (check === undefined) return undefined;
  rejectUnknownCheck(check, policy);
  const spec = policy.find((one) => one.name === check);
  const wanted = parseLimit(check, value, spec && toCheck(spec).limit);
  // a configuration has whole seconds, and refuses others by itself
  const inSeconds = typeof wanted === 'number' && wanted % 1_000 === 0 ? formatIsoDuration(wanted) : value;
  const limit = isDuration(check) ? inSeconds : wanted;
  const others = wanted === 'off' ? policy.filter((one) => one !== spec) : policy;
  const changed = spec === undefined ? [...others, { name: check, limit }] : others;
  const list = wanted === 'off' ? others : changed.map((one) => (one === spec ? { ...one, limit } : one));
  return { name: 'rollout.checks', value: JSON.stringify(list) };
}
