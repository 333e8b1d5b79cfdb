// Approvals: every combination of what an approval is and what is asked of it; only those named here let a plan
// through.
import { describe, expect, test } from 'vitest';
import { APPROVAL_MODES, type ApprovalMode } from '../../../src/domain/config/rollout-config.js';
import {
  type ApprovalDecision,
  type ApprovalQuestion,
  decideApproval,
  type RecordedApproval,
} from '../../../src/domain/plan/decide-approval.js';
import { type RailReading, readGuardRails } from '../../../src/domain/plan/guard-rails.js';
import { everyRail, makeCounts } from './sample-plan.js';

/** How long the database lets an approval last, in ms. */
const APPROVAL_MS = 72 * 3_600_000;
const APPROVED_AT = new Date('2026-02-15T10:00:00Z');
const inside = readGuardRails(makeCounts(), everyRail);
const outside = readGuardRails(makeCounts({ touched: 20_000, protectedTouched: 1 }), everyRail);
const later = (ms: number): Date => new Date(APPROVED_AT.getTime() + ms);

function makeApproval(fields: Partial<RecordedApproval> = {}): RecordedApproval {
  return {
    approver: 'bo',
    kind: 'person',
    digest: 'd1',
    approvedAt: APPROVED_AT,
    expiresAt: later(APPROVAL_MS),
    usedAt: null,
    voidedAt: null,
    ...fields,
  };
}

function decide(fields: Partial<ApprovalQuestion> = {}): ApprovalDecision {
  return decideApproval({
    author: 'ana',
    digest: 'd1',
    rails: inside,
    approval: 'auto',
    approvals: [],
    newer: null,
    now: later(1),
    ...fields,
  });
}

/** `approved`, `approves_itself`, or why it is held. */
const nameOf = (decision: ApprovalDecision): string => (decision.kind === 'held' ? decision.why : decision.kind);

describe('decideApproval without approvals', () => {
  test('approves itself inside the guard-rails where that is allowed', () => {
    expect(decide()).toEqual({ kind: 'approves_itself' });
  });

  test('waits for a person where one is required', () => {
    expect(decide({ approval: 'required' })).toEqual({ kind: 'held', why: 'required' });
  });

  test.each(APPROVAL_MODES)('names the first guard-rail that does not pass, with approval %s', (approval) => {
    const rail: RailReading = { rail: 'orgsTouched', value: '20,000 orgs', limit: '10,000 orgs', passes: false };
    expect(decide({ approval, rails: outside })).toEqual({ kind: 'held', why: 'outside', rail });
  });
});

describe('decideApproval by complement', () => {
  const used = later(-1);
  const kinds = ['person', 'guard_rails'] as const;
  const digests = ['d1', 'd2'] as const;
  const approvers = ['ana', 'bo'] as const;
  const fates = {
    open: {},
    expired: { expiresAt: later(1) },
    used: { usedAt: used },
    voided: { voidedAt: used },
  } as const;
  const readings = { inside, outside } as const;

  interface Asked {
    readonly kind: (typeof kinds)[number];
    readonly digest: (typeof digests)[number];
    readonly approver: (typeof approvers)[number];
    readonly fate: keyof typeof fates;
    readonly rails: keyof typeof readings;
    readonly approval: ApprovalMode;
  }

  const everything: readonly Asked[] = kinds.flatMap((kind) =>
    digests.flatMap((digest) =>
      approvers.flatMap((approver) =>
        (['open', 'expired', 'used', 'voided'] as const).flatMap((fate) =>
          (['inside', 'outside'] as const).flatMap((rails) =>
            APPROVAL_MODES.map((approval) => ({ kind, digest, approver, fate, rails, approval })),
          ),
        ),
      ),
    ),
  );

  const ask = ({ kind, digest, approver, fate, rails, approval }: Asked): string =>
    nameOf(
      decide({
        approvals: [makeApproval({ kind, digest, approver, ...fates[fate] })],
        rails: readings[rails],
        approval,
      }),
    );

  const isAuto = ({ rails, approval }: Asked): boolean => rails === 'inside' && approval === 'auto';
  const isForeign = ({ kind, digest, approver }: Asked): boolean =>
    digest === 'd2' || (kind === 'person' && approver === 'ana');

  test('lets through an open approval by somebody else, or its own where it might give it now, and nothing else', () => {
    const letThrough = everything.filter((asked) => ask(asked) === 'approved');
    const expected = everything.filter(
      (asked) => asked.fate === 'open' && !isForeign(asked) && (asked.kind === 'person' || isAuto(asked)),
    );
    expect(letThrough).toEqual(expected);
    expect(expected).toHaveLength(4 + 2);
  });

  test('approves itself only inside, where allowed, and when nothing was used, voided or decided by a person', () => {
    const itself = everything.filter((asked) => ask(asked) === 'approves_itself');
    const expected = everything.filter(
      (asked) => isAuto(asked) && (isForeign(asked) || (asked.kind === 'guard_rails' && asked.fate === 'expired')),
    );
    expect(itself).toEqual(expected);
  });

  test('names the obstacle in every other case', () => {
    for (const asked of everything) {
      const answer = ask(asked);
      if (answer === 'approved' || answer === 'approves_itself') continue;
      const used = !isForeign(asked) && asked.fate !== 'open';
      const renewable = asked.kind === 'guard_rails' && asked.fate === 'expired';
      const unapproved = asked.rails === 'outside' ? 'outside' : 'required';
      expect({ ...asked, answer }).toEqual({ ...asked, answer: used && !renewable ? asked.fate : unapproved });
    }
  });
});

describe('decideApproval', () => {
  test('lasts until the last millisecond of 72 hours', () => {
    const approvals = [makeApproval()];
    expect(nameOf(decide({ approvals, rails: outside, now: later(APPROVAL_MS - 1) }))).toBe('approved');
    expect(nameOf(decide({ approvals, rails: outside, now: later(APPROVAL_MS) }))).toBe('expired');
  });

  test('renews its own approval by itself only while it is still inside', () => {
    const approvals = [makeApproval({ kind: 'guard_rails', approver: 'guard-rails' })];
    const now = later(APPROVAL_MS);
    expect(nameOf(decide({ approvals }))).toBe('approved');
    expect(nameOf(decide({ approvals, now }))).toBe('approves_itself');
    expect(nameOf(decide({ approvals, now, rails: outside }))).toBe('outside');
    expect(nameOf(decide({ approvals, now, approval: 'required' }))).toBe('required');
  });

  test('takes the newest approval that grants it', () => {
    const older = makeApproval();
    const newer = makeApproval({ approver: 'cy', approvedAt: later(60_000), expiresAt: later(60_000 + APPROVAL_MS) });
    const used = makeApproval({ approver: 'di', approvedAt: later(90_000), voidedAt: later(90_001) });
    for (const approvals of [
      [older, newer, used],
      [used, newer, older],
    ])
      expect(decide({ approvals, now: later(100_000) })).toEqual({ kind: 'approved', approval: newer });
  });

  test('goes on when a person approves again after the approval was used', () => {
    const used = makeApproval({ usedAt: later(1) });
    const again = makeApproval({ approvedAt: later(2) });
    expect(nameOf(decide({ approvals: [used], now: later(3) }))).toBe('used');
    expect(decide({ approvals: [used, again], now: later(3) })).toEqual({ kind: 'approved', approval: again });
  });

  test('sends nobody to approve a plan that a newer one took the place of, and does not approve it itself', () => {
    const superseded = { kind: 'held', why: 'superseded', by: 'in-8' };
    const expired = makeApproval({ expiresAt: later(0) });
    for (const rails of [inside, outside])
      for (const approvals of [[], [expired]]) expect(decide({ newer: 'in-8', rails, approvals })).toEqual(superseded);
    expect(nameOf(decide({ newer: 'in-8', approvals: [makeApproval()] }))).toBe('approved');
  });

  test('never approves a plan by itself after a newer plan was approved', () => {
    const voided = makeApproval({ kind: 'guard_rails', voidedAt: later(1) });
    const lapsed = makeApproval({ approvedAt: later(2) });
    expect(decide({ approvals: [voided, lapsed], now: later(10 * APPROVAL_MS) })).toEqual({
      kind: 'held',
      why: 'voided',
      approval: voided,
    });
  });
});
