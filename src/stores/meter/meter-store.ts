// The port of what counts calls. Two back ends: Lua on a data center's meter Redis, and memory. Both do the same; a
// property test compares them on random histories.
import type { CallDecision, CallLimits, DayState } from '../../domain/meter/decide-call.js';
import type { MeterDay } from '../../domain/meter/meter-day.js';
import type { DayUsage } from '../../domain/meter/usage.js';
import type { CallId } from './call-id.js';

/** A slot that nobody renews is free after this time. */
export const LEASE_MS = 60_000;
/** Counters are kept for so long after their day has ended, for a drain that is late. */
export const KEPT_AFTER_DAY_MS = 3 * 24 * 3_600_000;

/** One call that asks. */
export interface AcquireRequest {
  readonly orgId: string;
  /** Unique for as long as the call is in flight: asking again with it, for the same kind and price, is harmless. */
  readonly callId: CallId;
  /** The name under which it is counted. */
  readonly kind: string;
  /** Its price, also for an org that is held to calls. */
  readonly credits: number;
  readonly limits: CallLimits;
}

export type AcquireAnswer =
  | {
      readonly kind: 'decided';
      readonly decision: CallDecision;
      /** The call is in flight already: it was not charged again. */
      readonly repeated: boolean;
      /** After the call. */
      readonly state: DayState;
    }
  /** A call of another kind or price is in flight under this id: nothing was done. */
  | { readonly kind: 'reused' }
  /** The store was emptied in the course of this day and knows nothing of the org: merge() what others know first. */
  | { readonly kind: 'unseeded' };

export interface AcquireResult {
  /** The store's clock, which picks the day. */
  readonly nowMs: number;
  /** The day it picked; null: it lies in none of those that were given, and nothing was done. */
  readonly day: MeterDay | null;
  /** When the store began to know anything, by its clock: one that was emptied begins again. Null: nothing was done. */
  readonly epoch: number | null;
  /** In the order of the requests. */
  readonly answers: readonly AcquireAnswer[];
}

/** A call that holds a slot. */
export interface CallInFlight {
  readonly orgId: string;
  readonly callId: CallId;
  /** A day on which it was in flight: the one that it was charged to, or a later one. */
  readonly day: string;
}

/** A call that was allowed; `day` is the one that it was charged to. */
export interface ChargedCall extends CallInFlight {
  readonly kind: string;
  readonly credits: number;
}

/** A call that has ended. What is given back is what was charged for the slot, whatever its asker says that it cost. */
export interface ReleaseRequest extends CallInFlight {
  /** `given back`: it ended in an error of ours. */
  readonly outcome: 'paid' | 'given back';
}

/** Refusals that were given: whoever gives one counts it, since it may ask again with other limits before it does. */
export interface GivenRefusals {
  readonly orgId: string;
  readonly day: string;
  readonly byCredits: number;
  readonly byConcurrency: number;
}

/** What a store is told of a day that it may not know. */
export interface SeenUsage extends DayUsage {
  /** As in DayState. */
  readonly capacity: number | null;
  /** As in DayState; left out: none. */
  readonly otherCapacity?: number | null;
  /** Of the store that said so, as in AcquireResult; null: a cell did, or nobody. */
  readonly epoch: number | null;
}

/** What a store knows of an org's day. */
export interface FoundDay extends Pick<DayState, 'capacity' | 'otherCapacity'> {
  readonly usage: DayUsage;
  /** Calls in flight now. */
  readonly inFlight: number;
}

/** A store that could not be asked, or did not answer in time. */
export class MeterStoreError extends Error {
  override readonly name = 'MeterStoreError';
  constructor(
    /** Whether it may have done what was asked. */
    readonly outcome: 'not_done' | 'unknown',
    cause: unknown,
  ) {
    super('the meter store did not answer', { cause });
  }
}

export interface MeterStore {
  /** Decides the calls one after the other, each as a whole or not at all. A refusal changes nothing. */
  acquire(days: readonly [MeterDay, MeterDay], calls: readonly AcquireRequest[]): Promise<AcquireResult>;
  /** Frees slots and gives back. A call that is not in flight is left alone, so twice is as once. */
  release(ended: readonly ReleaseRequest[], refusals: readonly GivenRefusals[]): Promise<void>;
  /**
   * Keeps the slots of calls that take long. One that is gone is taken again: of a `renewed` call, which may have been
   * released by another, nothing is given back any more; of a `restored` one, charged elsewhere, what it was charged.
   */
  renew(calls: readonly ChargedCall[], as: 'renewed' | 'restored'): Promise<void>;
  /** Adds what was spent while the store could not be asked; a second time under the same id does nothing. */
  add(id: string, spent: readonly SeenUsage[], days: readonly [MeterDay, MeterDay]): Promise<void>;
  /** Raises counters to what others have seen, as raiseUsage(): another epoch is before the store was emptied. */
  merge(seen: readonly SeenUsage[], days: readonly [MeterDay, MeterDay]): Promise<void>;
  /** Undefined: no call came. */
  find(orgId: string, day: string): Promise<FoundDay | undefined>;
  /**
   * Up to `limit` days whose counters have grown since they were confirmed, in any order. The `first` of a round begins
   * it, with what was never confirmed; the `next` ones give what is left of it, none when it is over.
   */
  collect(limit: number, call: 'first' | 'next'): Promise<readonly DayUsage[]>;
  /** What was collected is stored elsewhere. Unconfirmed, it is collected again. */
  confirm(stored: readonly { readonly orgId: string; readonly day: string }[]): Promise<void>;
}
