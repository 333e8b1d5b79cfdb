// What `doctor` finds, and how a failing check becomes a finding. Never throws, never shows a server's own text.
import type { ErrorCode } from '../../kernel/error-codes.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { explainFailure } from '../database-errors.js';

export const FINDING_LEVELS = ['ok', 'warning', 'error'] as const;
export type FindingLevel = (typeof FINDING_LEVELS)[number];

export interface Finding {
  /** `control`, `queue`, `rate card`, or the id of a data center. */
  readonly subject: string;
  /** What was looked at, in a few words that stay the same. */
  readonly check: string;
  readonly level: FindingLevel;
  readonly found: string;
  /** What to do; null where nothing needs to be done. */
  readonly fix: string | null;
  readonly code?: ErrorCode;
}

/** Makes the findings of one subject. */
export interface FindingRecorder {
  readonly ok: (check: string, found: string) => Finding;
  readonly warning: (check: string, found: string, fix: string | null, code?: ErrorCode) => Finding;
  readonly error: (check: string, found: string, fix: string, code?: ErrorCode) => Finding;
  /** The finding for whatever a check threw. */
  readonly failure: (check: string, error: unknown) => Finding;
  /** Runs one check: what it throws is its finding, so that no check hides another. */
  readonly run: (check: string, runDoctor: () => Promise<readonly Finding[]>) => Promise<readonly Finding[]>;
}

/** `title` begins a sentence about the subject: `Data center "eu"`. */
export function createFindingRecorder(subject: string, title: string): FindingRecorder {
  const create = (
    level: FindingLevel,
    check: string,
    found: string,
    fix: string | null,
    code?: ErrorCode,
  ): Finding => ({
    subject,
    check,
    level,
    found,
    fix,
    ...(code !== undefined && { code }),
  });
  const failure: FindingRecorder['failure'] = (check, error) => {
    const known = explainFailure(error, title);
    if (isRolloutError(known)) return create('error', check, known.message, known.next, known.code);
    return create('error', check, `${title}: the check failed (${nameFailure(error)}).`, ERROR_FIX);
  };
  return {
    ok: (check, found) => create('ok', check, found, null),
    warning: (check, found, fix, code) => create('warning', check, found, fix, code),
    error: (check, found, fix, code) => create('error', check, found, fix, code),
    failure,
    run: async (check, runDoctor) => {
      try {
        return await runDoctor();
      } catch (error) {
        return [failure(check, error)];
      }
    },
  };
}

const ERROR_FIX = 'Run the command again with --debug to see the cause.';

/** A code that says what failed; the text of an unknown error may hold a secret. */
function nameFailure(error: unknown): string {
  const { sqlstate } = classifyFailure(error);
  if (sqlstate !== undefined) return /^[0-9A-Z]{5}$/u.test(sqlstate) ? `SQLSTATE ${sqlstate}` : sqlstate;
  return error instanceof Error ? error.name : 'no error object';
}
