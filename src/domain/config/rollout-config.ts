// The type of a valid rollout.config.yaml. Types and constants only, so that importing it loads no parser.
import type { CheckSpec } from '../checks/check.js';
import type { WindowSpec } from '../windows/windows.js';

/**
 * A URL as written, its `${NAME}` pieces unresolved until it is first used (resolveConfigText). May hold a password.
 */
export interface ConfigUrl {
  readonly text: string;
}

/** Who approves a plan inside its guard-rails: the program, or always a person. */
export const APPROVAL_MODES = ['auto', 'required'] as const;
export type ApprovalMode = (typeof APPROVAL_MODES)[number];

/** Orgs per batch, or `auto`: planning measures and chooses. */
export type BatchSetting = number | 'auto';

/** Limits outside which a person must approve a plan. Left out: no limit. */
export interface GuardRails {
  /** Largest `after / max(before, 1)` of one org. */
  readonly maxRaiseFactor?: number | undefined;
  /** Largest floor as a multiple of the credits by formula. */
  readonly floorOverPlan?: number | undefined;
  /** Largest change of all credits together, in percent. */
  readonly totalChangePercent?: number | undefined;
  /** Largest number of orgs that a plan changes. */
  readonly orgsTouched?: number | undefined;
  /** Largest share of orgs in quarantine, 0 to 1. Default 0.01. */
  readonly quarantinedShare: number;
}

/** How the rollout of a data center runs. Lengths are milliseconds or whole days, as the name says. */
export interface RolloutSettings {
  /** Local date or time before which no data center starts, read per zone by parseLocalInstant. */
  readonly notBefore?: string | undefined;
  /** Orgs per batch, 100 to 100,000. Default `auto`: planning chooses. */
  readonly batchSize: BatchSetting;
  /** Parallel batches inside the active data center, 1 to 32. Default 2. */
  readonly lanes: number;
  /** Wait between a verified data center and the next. Default 0. */
  readonly bakeMs: number;
  /** SQL for the cell that must return true before baking ends. */
  readonly bakeQuery?: string | undefined;
  /** What slows or holds writes, the start, or the end of a bake, as written. Default: DEFAULT_CHECKS. */
  readonly checks: readonly CheckSpec[];
  /** Wait after the canary. Default 0. */
  readonly canaryWaitMs: number;
  /** Days for which a plan can be applied. Default 30. */
  readonly planRetentionDays: number;
  /** Local windows in which batches may run. Empty: always. */
  readonly windows: readonly WindowSpec[];
  readonly approval: ApprovalMode;
  readonly guardRails: GuardRails;
}

/** When the nightly run starts, and its limits. */
export interface ReconcileSettings {
  /** Local `HH:MM`. Default 00:15. */
  readonly at: string;
  /** Limit of orgs that one night may change. */
  readonly maxChanged?: number | undefined;
  /** Limit of lapsed orgs that one night may lower. */
  readonly maxLapsed?: number | undefined;
}

/** The nightly reconciliation. */
export interface ReconcileConfig extends ReconcileSettings {
  /** Days for which the findings of nights are kept. Default 400. */
  readonly driftRetentionDays: number;
}

/** One data center, in rollout order. */
export interface DataCenterConfig {
  readonly id: string;
  /** IANA name with a slash, or UTC. */
  readonly zone: string;
  readonly database: ConfigUrl;
  /** The table or view of orgs as written; the cell's catalog decides whether it exists. */
  readonly source: string;
  /** The Redis of its meter, never the queue's. Undefined: a meter counts in its memory. */
  readonly meter?: ConfigUrl | undefined;
}

/** Where people are told what happens. */
export interface WebhookConfig {
  readonly name: string;
  readonly url: ConfigUrl;
  /** As written, like the URL: `whsec_` and base64. Undefined: messages are not signed. */
  readonly secret?: ConfigUrl | undefined;
  /** What each message carries, for example the URL of a dashboard. */
  readonly link?: string | undefined;
}

/** The whole of rollout.config.yaml, with defaults. */
export interface RolloutConfig {
  readonly controlDatabase: ConfigUrl;
  /** Undefined: the control database, for `up` only. */
  readonly queue: ConfigUrl | undefined;
  /** Path as written, relative to the file's folder. */
  readonly rateCard: string;
  readonly rollout: RolloutSettings;
  readonly signups: {
    /** Local date or time of the cut-over, read per zone by parseLocalInstant. */
    readonly cutover?: string | undefined;
  };
  readonly reconcile: ReconcileConfig;
  readonly grandfathering: {
    /** Days for which a lapsed org keeps its floor. Default 30. */
    readonly lapseGraceDays: number;
  };
  readonly dataCenters: readonly DataCenterConfig[];
  readonly webhooks: readonly WebhookConfig[];
  /** Settings of the policy that the file writes; for every other one, what control has counts. */
  readonly written: readonly string[];
}
