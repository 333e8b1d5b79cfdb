// The report of a plan: what it counts in a data center, and the few orgs that it names. The lists of orgs never leave
// their cell except through the command that shows them. Holds values only.
import type { Winner } from '../org/allotment.js';
import type { BatchSize } from './batch-size.js';
import type { RailReading } from './guard-rails.js';

/** A kind of decision: edition × paid × winner × purchased × light agents × negotiated. */
export interface Branch {
  readonly edition: string;
  readonly paid: boolean;
  readonly winner: Winner;
  /** It has additional credits. */
  readonly purchased: boolean;
  /** It has light agents. */
  readonly lightAgents: boolean;
  /** It has a negotiated legacy limit. */
  readonly negotiated: boolean;
}

/** How many orgs are in a branch, and their sums: decimal text, in credits a day. */
export interface BranchCount extends Branch {
  readonly orgs: number;
  /** First decisions, raises, and falls that are left to the nightly run. */
  readonly first: number;
  readonly raises: number;
  readonly falls: number;
  /** Orgs whose capacity falls, at a first decision or later. */
  readonly falling: number;
  /** Capacity at the snapshot: the allotment's total, else the legacy limit and purchases. */
  readonly before: string;
  readonly after: string;
  /** Base and variable credits. */
  readonly planCredits: string;
  /** Top-ups: the credits above the rate card that keep the legacy number. */
  readonly grandfathered: string;
}

/** One bar of the histogram of changes: orgs whose capacity changes by at least `from` and less than `to` percent. */
export interface ChangeBar {
  /** Null: open at the bottom. */
  readonly from: number | null;
  /** Null: open at the top. */
  readonly to: number | null;
  readonly orgs: number;
}

/** An org that a plan names. Numbers are decimal text. */
export interface PlannedOrg {
  readonly orgId: string;
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly before: string;
  readonly after: string;
  readonly planCredits: string;
  readonly legacyLimit: string;
  readonly floor: string | null;
}

/** A paid org that used more on its busiest day than it would get. */
export interface ShortOrg extends PlannedOrg {
  /** Credits of the busiest day of the last 30. */
  readonly peak: string;
  /** The floor that would cover the peak without purchases, rounded up to a thousand. */
  readonly proposedFloor: string;
}

/** Expected duration of the apply, in ms, and how it was measured. */
export interface DurationEstimate {
  readonly p50Ms: number;
  readonly p90Ms: number;
  /** `batches`: earlier batches of this cell; `planning`: the speed of this plan, without batches. */
  readonly basis: 'batches' | 'planning';
}

/** Counts only: these may be shown with those of other data centers, and control stores them. */
export interface PlanCounts {
  readonly orgs: number;
  readonly first: number;
  readonly raises: number;
  readonly falls: number;
  readonly unchanged: number;
  /** Orgs that are written: first decisions and raises. */
  readonly touched: number;
  readonly legacyWins: number;
  /** Paid orgs whose number would fall. Above 0 the promise would be broken. */
  readonly paidFalling: number;
  readonly unpaidFalling: number;
  /** Unpaid orgs on an edition other than the card's unpaid one, or with a negotiated limit: sponsored, or a trap. */
  readonly traps: number;
  readonly quarantined: number;
  readonly before: string;
  readonly after: string;
  readonly planCredits: string;
  readonly grandfathered: string;
  /** after / max(before, 1) of the org that is raised most; null: no org is raised. */
  readonly maxRaiseFactor: number | null;
  /** Largest floor as a multiple of the credits by formula; null: no org has a floor. */
  readonly maxFloorOverPlan: number | null;
  /** Protected orgs that would be written. */
  readonly protectedTouched: number;
  readonly staleLeftOut: number;
}

export interface PlanReport {
  /** For example `in-7`; null: a what-if that stored nothing. */
  readonly planId: string | null;
  readonly dataCenter: string;
  readonly zone: string;
  /** The relation that was read. */
  readonly source: string;
  readonly author: string;
  /** ISO 8601, UTC: the state of the cell that was read. */
  readonly snapshotAt: string;
  readonly card: { readonly name: string; readonly hash: string };
  /** 64 hex digits over rates, source columns and inputs; null: a what-if. */
  readonly digest: string | null;
  /** How long the planning took, in ms. */
  readonly planningMs: number;
  readonly counts: PlanCounts;
  readonly branches: readonly BranchCount[];
  /** Undecidable orgs by reason. */
  readonly quarantined: readonly { readonly reason: string; readonly orgs: number }[];
  /** Orgs whose ids are too long to be held, in no other count; null: not counted. */
  readonly leftOut: number | null;
  readonly histogram: readonly ChangeBar[];
  readonly rails: readonly RailReading[];
  readonly duration: DurationEstimate;
  /** Orgs in a batch, and why so many; null: an earlier version made the plan. */
  readonly batchSize: BatchSize | null;
  /** Where the source has peak_credits: paid orgs whose peak exceeds their new total, by edition. */
  readonly usage: readonly { readonly edition: string; readonly paid: number; readonly short: number }[] | null;
  /** Org data: only the cell and the output of the command have these lists. At most 20 each, the worst first. */
  readonly orgs: {
    readonly biggestRaises: readonly PlannedOrg[];
    /** Paid orgs whose credits exceed their floor by the least: the next that may need it. */
    readonly nearestFloor: readonly PlannedOrg[];
    readonly short: readonly ShortOrg[];
  };
}

/** What a cell stores of a plan besides its digest and its lists of orgs. */
export type StoredReport = Omit<PlanReport, 'orgs' | 'digest' | Later> & Partial<Pick<PlanReport, Later>>;
/** What those of an earlier version do not have. */
type Later = 'leftOut' | 'batchSize';

/** What a run did, compared with its plan. */
export interface PlanOutcome {
  readonly runId: string;
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  readonly predicted: {
    readonly touched: number;
    readonly credits: string;
    readonly p50Ms: number;
    readonly p90Ms: number;
    /** Paid orgs whose busiest day was above their new total; null: no busiest day was known. */
    readonly short: number | null;
  };
  readonly actual: {
    readonly touched: number;
    readonly credits: string;
    /** From the first batch to the last, without what it waited. */
    readonly durationMs: number;
    /** What it waited meanwhile, in ms; null: not known, and the duration has it in it. */
    readonly waitedMs: number | null;
    readonly stale: number;
    /** When those were left out since the source had been replaced; null: it had not, or an earlier version ran. */
    readonly followUpSkippedAt: Date | null;
    readonly quarantined: number;
    /** Paid orgs refused for their credits since their migration, and not before; null: nothing was measured. */
    readonly refused: number | null;
  };
}
