// Why a data center does not move: every code, and what releases it. Never in words of one reader: a release is data.
import { quoteText } from '../../kernel/advice.js';

export const HOLD_CODES = [
  'no_scheduler',
  'frozen',
  'paused',
  'predecessor_failed',
  'not_before',
  'waits_for_order',
  'slot_taken',
  'not_quiet',
  'cell_unreachable',
  'read_only',
  'server_unsupported',
  'source_detached',
  'source_changed',
  'window_closed',
  'planning',
  'plan_failed',
  'needs_approval',
  'canary_wait',
  'no_worker',
  'cell_trouble',
  'throttled',
  'no_data',
  'check_failed',
  'step_failing',
  'stalled',
  'baking',
  'bake_query',
  'bake_query_failed',
  'maintenance_slot_taken',
  'maintenance',
  'maintenance_failed',
  'cutover_late',
  'gate_busy',
] as const;
export type HoldCode = (typeof HOLD_CODES)[number];

/** A command that ends a hold. `after`: words that follow it, separator included. */
export interface ReleaseCommand {
  readonly kind: 'command';
  readonly verb: string;
  readonly args: readonly string[];
  readonly after?: string;
}

/** What ends a hold: a command, or something that happens by itself. Whoever shows it writes the command. */
export type Release = ReleaseCommand | { readonly kind: 'waits'; readonly note: string };

export const byCommand = (verb: string, ...args: readonly string[]): ReleaseCommand => ({
  kind: 'command',
  verb,
  args,
});
/** `note`: a sentence that begins with "it". */
export const byWaiting = (note: string): Release => ({ kind: 'waits', note });

/** As text that is stored: `credit-rollout resume --dc eu`, `it starts by itself`. */
export const formatRelease = (release: Release): string =>
  release.kind === 'waits'
    ? release.note
    : `${['credit-rollout', release.verb, ...release.args.map(quoteText)].join(' ')}${release.after ?? ''}`;

export interface Hold {
  readonly code: HoldCode;
  /** What is the case: an instant, a data center, a count. */
  readonly value: string | null;
  /** What it is measured against. */
  readonly limit: string | null;
  /** What ends it. */
  readonly release: Release;
  /** It will not end by itself. */
  readonly needsPerson: boolean;
}

export interface HoldMeaning {
  /** The rest of the sentence "it is not moving: …". */
  readonly meaning: string;
  readonly needsPerson: boolean;
}

/** One sentence per code; docs/reference/stages-and-holds.md lists the same, a test compares them. */
export const HOLDS: Readonly<Record<HoldCode, HoldMeaning>> = {
  no_scheduler: { meaning: 'no scheduler runs', needsPerson: true },
  frozen: { meaning: 'it is frozen', needsPerson: true },
  paused: { meaning: 'an operator paused it', needsPerson: true },
  predecessor_failed: { meaning: 'an earlier data center failed', needsPerson: true },
  not_before: { meaning: 'its start date has not come', needsPerson: false },
  waits_for_order: { meaning: 'an earlier data center is not done', needsPerson: false },
  slot_taken: { meaning: 'another data center is being rolled out', needsPerson: false },
  not_quiet: {
    meaning: 'the fence (our lock against writes) of another data center may still be open',
    needsPerson: false,
  },
  cell_unreachable: { meaning: 'its database cannot be reached', needsPerson: false },
  read_only: { meaning: 'a database accepts no writes: it was made read-only', needsPerson: true },
  server_unsupported: { meaning: 'its server refuses a function that is needed', needsPerson: true },
  source_detached: { meaning: 'our views are detached from its source', needsPerson: true },
  source_changed: { meaning: 'our views read another table than its source', needsPerson: true },
  window_closed: { meaning: 'no window is open', needsPerson: false },
  planning: { meaning: 'its plan is being made', needsPerson: false },
  plan_failed: { meaning: 'its plan could not be made, is missing, or has changed', needsPerson: true },
  needs_approval: { meaning: 'its plan needs the approval of a second person, not of its author', needsPerson: true },
  canary_wait: {
    meaning: 'the wait after its canary, the few orgs that are written first, is not over',
    needsPerson: false,
  },
  no_worker: { meaning: 'no worker serves it', needsPerson: true },
  cell_trouble: { meaning: 'its workers fail with the same error again and again', needsPerson: true },
  throttled: { meaning: 'no more is written for now: a check is at its limit, or was seconds ago', needsPerson: false },
  no_data: { meaning: 'a check (rollout.checks) cannot be read, so nothing says that all is well', needsPerson: false },
  check_failed: { meaning: 'a check (rollout.checks) that must pass first does not pass', needsPerson: false },
  step_failing: { meaning: 'a step of its scheduler fails again and again', needsPerson: true },
  stalled: { meaning: 'nothing was done for two minutes though work is pending', needsPerson: true },
  baking: {
    meaning: 'it is verified; its bake, the wait before the next data center, is not over',
    needsPerson: false,
  },
  bake_query_failed: {
    meaning: 'the query that must end its bake (rollout.bakeQuery) cannot be run',
    needsPerson: true,
  },
  bake_query: {
    meaning: 'its bake goes on until the query rollout.bakeQuery returns true',
    needsPerson: false,
  },
  maintenance_slot_taken: { meaning: 'its reconciliation waits for that of another data center', needsPerson: false },
  maintenance: {
    meaning: 'its reconciliation, or sweep (a check of all orgs after the cut-over), runs',
    needsPerson: false,
  },
  maintenance_failed: {
    meaning: 'its last reconciliation or sweep (check of all orgs after the cut-over) failed',
    needsPerson: true,
  },
  cutover_late: { meaning: 'the time of its cut-over has come, and its rollout is not done', needsPerson: false },
  gate_busy: { meaning: 'a sign-up that began before the cut-over has not ended', needsPerson: false },
};

export function createHold(
  code: HoldCode,
  release: Release,
  value: string | null = null,
  limit: string | null = null,
): Hold {
  return { code, value, limit, release, needsPerson: HOLDS[code].needsPerson };
}
