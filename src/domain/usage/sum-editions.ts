// What orgs use, counted by branch, and summed by edition beside what the plan had predicted. Holds no org.
import type { Branch } from '../plan/plan-report.js';

/** Counts of orgs; sums as decimal text. */
export interface BranchUsage extends Branch {
  readonly orgs: number;
  /** With calls today. */
  readonly active: number;
  readonly usedToday: string;
  /** Used at least 80 % of their total today. */
  readonly near: number;
  readonly refusedToday: number;
  /** Not refused today, but with calls that were served in shadow and would have been refused. */
  readonly wouldBeRefusedToday: number;
  /** Refused for their credits since their migration, and on no measured day before. */
  readonly refusedSince: number;
  /** The same of orgs that were never refused since, and would have been. */
  readonly wouldBeRefusedSince: number;
  /** Their busiest of the last 30 whole days was above the total that they have now. */
  readonly peakAboveTotal: number;
  /** Refused for their concurrency since their migration. */
  readonly concurrencySince: number;
  /** Never refused for it since, and would have been. */
  readonly wouldBeConcurrencySince: number;
}

/** What the plan of the rollout said of an edition. */
export interface PredictedEdition {
  readonly edition: string;
  /** Paid orgs whose peak is above their new total. */
  readonly short: number;
}

export interface EditionUsage
  extends Pick<
    BranchUsage,
    | 'edition'
    | 'orgs'
    | 'active'
    | 'usedToday'
    | 'near'
    | 'refusedToday'
    | 'wouldBeRefusedToday'
    | 'refusedSince'
    | 'wouldBeRefusedSince'
    | 'concurrencySince'
    | 'wouldBeConcurrencySince'
  > {
  /** Paid orgs that the plan expected to be refused; null: it knew no peaks. */
  readonly predicted: number | null;
  /** Paid orgs that were refused, or would have been in shadow, since their migration, and not before. */
  readonly measured: number;
}

/** By edition, in the order of the branches. */
export function sumEditions(
  branches: readonly BranchUsage[],
  predicted: readonly PredictedEdition[] | null,
): readonly EditionUsage[] {
  const names = [...new Set([...branches, ...(predicted ?? [])].map(({ edition }) => edition))].sort();
  return names.map((edition) => {
    const own = branches.filter((branch) => branch.edition === edition);
    const sum = (count: (branch: BranchUsage) => number): number =>
      own.reduce((total, branch) => total + count(branch), 0);
    return {
      edition,
      orgs: sum(({ orgs }) => orgs),
      active: sum(({ active }) => active),
      usedToday: String(own.reduce((total, { usedToday }) => total + BigInt(usedToday), 0n)),
      near: sum(({ near }) => near),
      refusedToday: sum(({ refusedToday }) => refusedToday),
      wouldBeRefusedToday: sum(({ wouldBeRefusedToday }) => wouldBeRefusedToday),
      refusedSince: sum(({ refusedSince }) => refusedSince),
      wouldBeRefusedSince: sum(({ wouldBeRefusedSince }) => wouldBeRefusedSince),
      concurrencySince: sum(({ concurrencySince }) => concurrencySince),
      wouldBeConcurrencySince: sum(({ wouldBeConcurrencySince }) => wouldBeConcurrencySince),
      predicted: predicted === null ? null : (predicted.find((one) => one.edition === edition)?.short ?? 0),
      measured: sum((one) => (one.paid ? sumBeyond(one) : 0)),
    };
  });
}

export interface NamedBranch extends BranchUsage {
  /** `standard, paid, legacy kept, purchased`. */
  readonly name: string;
}

/** Orgs whose calls went beyond their credits since their migration, whether they were refused or served in shadow. */
export const sumBeyond = (one: Pick<BranchUsage, 'refusedSince' | 'wouldBeRefusedSince'>): number =>
  one.refusedSince + one.wouldBeRefusedSince;

/** The branches in which somebody is near the total or refused, with their names. */
export function groupBranches(branches: readonly BranchUsage[]): readonly NamedBranch[] {
  return branches
    .filter((one) => {
      const today = one.near + one.refusedToday + one.wouldBeRefusedToday;
      return today + sumBeyond(one) + one.concurrencySince + one.wouldBeConcurrencySince > 0;
    })
    .map((branch) => ({ ...branch, name: nameBranch(branch) }));
}

const nameBranch = ({ edition, paid, winner, purchased, lightAgents, negotiated }: Branch): string =>
  [
    edition,
    paid ? 'paid' : 'unpaid',
    ...(winner === 'legacy' ? ['legacy kept'] : []),
    ...(purchased ? ['purchased'] : []),
    ...(lightAgents ? ['light agents'] : []),
    ...(negotiated ? ['negotiated'] : []),
  ].join(', ');
