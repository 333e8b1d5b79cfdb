// Decides whether a plan may be applied, and by which approval. Pure. Never accepts the author's own approval, nor one
// approval for two plans.
import type { ApprovalMode } from '../config/rollout-config.js';
import { isInsideRails, type RailReading } from './guard-rails.js';

/** An approval as recorded. */
export interface RecordedApproval {
  readonly approver: string;
  /** `guard_rails`: the plan approved itself. */
  readonly kind: 'person' | 'guard_rails';
  /** Of the plan that was approved. */
  readonly digest: string;
  readonly approvedAt: Date;
  /** From this instant on it is not valid. */
  readonly expiresAt: Date;
  /** When an apply consumed it; null: not yet. */
  readonly usedAt: Date | null;
  /** When a newer plan was approved; null: none was. */
  readonly voidedAt: Date | null;
}

export interface ApprovalQuestion {
  readonly author: string;
  readonly digest: string;
  readonly rails: readonly RailReading[];
  /** Who approves inside the guard-rails: the program, or always a person. */
  readonly approval: ApprovalMode;
  readonly approvals: readonly RecordedApproval[];
  /** A newer plan of the data center that is approved or was applied; null: there is none. */
  readonly newer: string | null;
  readonly now: Date;
}

/** `approves_itself`: it is within the guard-rails. Record an approval of kind `guard_rails` and decide again. */
export type ApprovalDecision =
  | { readonly kind: 'approved'; readonly approval: RecordedApproval }
  | { readonly kind: 'approves_itself' }
  | HeldPlan;

/** Why a plan waits for a person. */
export type HeldPlan =
  | { readonly kind: 'held'; readonly why: 'used' | 'voided' | 'expired'; readonly approval: RecordedApproval }
  /** `by` is a newer plan that replaced it: nobody can approve it any more. */
  | { readonly kind: 'held'; readonly why: 'superseded'; readonly by: string }
  /** The first guard-rail that does not pass. */
  | { readonly kind: 'held'; readonly why: 'outside'; readonly rail: RailReading }
  | { readonly kind: 'held'; readonly why: 'required' };

/**
 * The newest valid approval, else why there is none. A plan that was used, voided or superseded never approves itself
 * again; one whose own approval only expired may. An approval by the guard-rails is valid only while the configuration
 * and the guard-rails would still give it.
 */
export function decideApproval(question: ApprovalQuestion): ApprovalDecision {
  const { rails, approval: who, newer, now } = question;
  const approvals = question.approvals.filter((one) => counts(one, question)).toSorted(newestFirst);
  const itself = who === 'auto' && isInsideRails(rails);
  const granting = approvals.find((one) => isOpen(one, now) && (one.kind === 'person' || itself));
  if (granting !== undefined) return { kind: 'approved', approval: granting };
  if (newer !== null) return { kind: 'held', why: 'superseded', by: newer };
  return findConsumed(approvals, now) ?? decideUnapproved(rails, itself);
}

/** An approval by the author does not count, nor does one of another plan. */
function counts(approval: RecordedApproval, { author, digest }: ApprovalQuestion): boolean {
  return approval.digest === digest && (approval.kind === 'guard_rails' || approval.approver !== author);
}

function isOpen({ usedAt, voidedAt, expiresAt }: RecordedApproval, now: Date): boolean {
  return usedAt === null && voidedAt === null && now < expiresAt;
}

/** Why a plan cannot approve itself, or why a person must approve it again. */
function findConsumed(approvals: readonly RecordedApproval[], now: Date): HeldPlan | undefined {
  const used = approvals.find(({ usedAt }) => usedAt !== null);
  if (used !== undefined) return { kind: 'held', why: 'used', approval: used };
  const voided = approvals.find(({ voidedAt }) => voidedAt !== null);
  if (voided !== undefined) return { kind: 'held', why: 'voided', approval: voided };
  const expired = approvals.find(({ kind, expiresAt }) => kind === 'person' && now >= expiresAt);
  return expired && { kind: 'held', why: 'expired', approval: expired };
}

function decideUnapproved(rails: readonly RailReading[], itself: boolean): ApprovalDecision {
  const rail = rails.find(({ passes }) => !passes);
  if (rail !== undefined) return { kind: 'held', why: 'outside', rail };
  return itself ? { kind: 'approves_itself' } : { kind: 'held', why: 'required' };
}

const newestFirst = (one: RecordedApproval, other: RecordedApproval): number =>
  other.approvedAt.getTime() - one.approvedAt.getTime();
