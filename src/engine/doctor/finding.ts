// What `doctor` finds, what a check is, and how checks are run: none throws, none hides another, and no text of a
// database server is shown.
import { type Advice, mapAdvice } from '../../kernel/advice.js';
import { systemClock } from '../../kernel/clock.js';
import type { ErrorCode } from '../../kernel/error-codes.js';
import { toPrintable } from '../../kernel/printable.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { explainFailure } from '../database-errors.js';

export const FINDING_LEVELS = ['ok', 'warning', 'error'] as const;
export type FindingLevel = (typeof FINDING_LEVELS)[number];

export interface Finding {
  /** `control`, `queue`, `webhooks`, `rate card`, or the id of a data center. */
  readonly subject: string;
  /** What was checked, in a few words that stay the same. */
  readonly check: string;
  readonly level: FindingLevel;
  readonly found: string;
  /** What to do; null where nothing needs to be done. */
  readonly fix: string | Advice | null;
  readonly code?: ErrorCode;
  /** What the check threw: shown with --debug only. */
  readonly cause?: unknown;
}

/** One check, and what must hold before it makes sense. */
export interface Check<Subject> {
  readonly check: string;
  /** Left out unless each of these earlier checks ran and found no error: it would only repeat their finding. */
  readonly needs?: readonly string[];
  /** Left out for a subject for which this is false. */
  readonly applies?: (subject: Subject) => boolean;
  /** Where it finds an error, no later check runs. */
  readonly decisive?: true;
  /** What it throws becomes its finding. */
  readonly run: (subject: Subject, record: FindingRecorder) => Findings | Promise<Findings>;
}

type Findings = Finding | readonly Finding[];

/** What is checked: its short name, and the beginning of a sentence about it, such as `Data center "eu"`. */
export interface CheckedSubject {
  readonly subject: string;
  readonly title: string;
}

/** Told which check, of which subject, is still running: a person who waits sees for what. */
export type OnSlow = (subject: string, check: string) => void;

const SLOW_MS = 1_000;

/** The findings of all checks that make sense, one check after another. Never rejects. */
export async function runChecks<Subject>(
  about: CheckedSubject,
  checks: readonly Check<Subject>[],
  subject: Subject,
  onSlow?: OnSlow,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const passed = new Set<string>();
  for (const { check, needs = [], applies, decisive, run } of checks) {
    if (!needs.every((name) => passed.has(name)) || applies?.(subject) === false) continue;
    const ended = new AbortController();
    void systemClock.sleep(SLOW_MS, ended.signal).then(() => {
      if (!ended.signal.aborted) onSlow?.(about.subject, check);
    });
    const found = await runCheck(about, check, (record) => run(subject, record));
    ended.abort();
    findings.push(...found);
    if (found.every(({ level }) => level !== 'error')) passed.add(check);
    else if (decisive) break;
  }
  return findings;
}

/** One check: what it throws is its finding. Never rejects. */
export async function runCheck(
  about: CheckedSubject,
  check: string,
  run: (record: FindingRecorder) => Findings | Promise<Findings>,
): Promise<readonly Finding[]> {
  const record = createFindingRecorder(about, check);
  try {
    return [await run(record)].flat();
  } catch (error) {
    return [record.failure(error)];
  }
}

/** Makes the findings of one check. */
export interface FindingRecorder {
  readonly ok: (found: string) => Finding;
  readonly warning: (found: string, fix: string | Advice | null, code?: ErrorCode) => Finding;
  readonly error: (found: string, fix: string | Advice | null, code?: ErrorCode) => Finding;
  /** The finding for whatever a check threw. */
  readonly failure: (error: unknown) => Finding;
}

export function createFindingRecorder({ subject, title }: CheckedSubject, check: string): FindingRecorder {
  const create = (level: FindingLevel, found: string, fix: string | Advice | null, code?: ErrorCode): Finding => ({
    subject,
    check,
    level,
    found,
    fix,
    ...(code !== undefined && { code }),
  });
  return {
    ok: (found) => create('ok', found, null),
    warning: (found, fix, code) => create('warning', found, toPrintableFix(fix), code),
    error: (found, fix, code) => create('error', found, toPrintableFix(fix), code),
    failure: (error) => {
      const known = explainFailure(error, title);
      if (isRolloutError(known)) return { ...create('error', known.message, known.advice, known.code), cause: known };
      return { ...create('error', `${title}: the check failed (${nameFailure(error)}).`, SEE_CAUSE), cause: error };
    },
  };
}

/** One line, whatever names of a catalog are in it; those of an error may have more, and are safe already. */
const toPrintableFix = (fix: Finding['fix']): Finding['fix'] =>
  typeof fix === 'string' ? toPrintable(fix) : fix && mapAdvice(fix, toPrintable);

const SEE_CAUSE = 'Run the command again with --debug to see the cause.';

/** A code for what failed: the text of an unknown error may hold a secret. */
function nameFailure(error: unknown): string {
  const { sqlstate } = classifyFailure(error);
  if (sqlstate !== undefined) return /^[0-9A-Z]{5}$/u.test(sqlstate) ? `SQLSTATE ${sqlstate}` : sqlstate;
  return error instanceof Error ? error.name : 'no error object';
}
