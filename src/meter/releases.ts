// Calls that are in flight here: keeps the slots of those that take long, and tells the store in batches which have
// ended and what was refused. Never waits longer than 5 ms for more.
import type { Clock } from '../kernel/clock.js';
import { type GivenRefusals, LEASE_MS, type MeterStore, type ReleaseRequest } from '../stores/meter/meter-store.js';

/** A call that holds a slot. */
export interface HeldCall {
  readonly orgId: string;
  readonly callId: string;
  /** The day it was charged to. */
  readonly day: string;
  readonly credits: number;
}

export interface Releases {
  hold(call: HeldCall): void;
  end(call: HeldCall, outcome: 'paid' | 'given back'): void;
  /** Tells the store at once what has ended of an org; false where nothing of it did just now. */
  settle(orgId: string): Promise<boolean>;
  countRefusal(orgId: string, day: string, verdict: 'credits' | 'concurrency'): void;
  /** Sends what waits, and nothing from then on. */
  close(): Promise<void>;
}

const MAX_WAIT_MS = 5;
const BATCH = 50;
const RENEW_MS = LEASE_MS / 2;

export function createReleases(options: {
  readonly store: Pick<MeterStore, 'release' | 'renew'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Releases {
  const { store, clock, signal } = options;
  /** When each call must be renewed. */
  const held = new Map<HeldCall, number>();
  let ended: ReleaseRequest[] = [];
  let lastSent: readonly ReleaseRequest[] = [];
  let refused = new Map<string, { -readonly [K in keyof GivenRefusals]: GivenRefusals[K] }>();
  /** Not before the last look: a call is renewed too early rather than asked the time of. */
  let renewAtMs = clock.now().getTime() + RENEW_MS;
  let timer: 'waits' | 'none' = 'none';
  let sent: Promise<unknown> = Promise.resolve();
  void renewUntilClosed();

  async function renewUntilClosed(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(RENEW_MS / 2, signal);
      const nowMs = clock.now().getTime();
      renewAtMs = nowMs + RENEW_MS;
      const due = [...held].filter(([, atMs]) => atMs <= nowMs).map(([call]) => call);
      for (const call of due) held.set(call, renewAtMs);
      if (due.length > 0 && !signal.aborted) await store.renew(due);
    }
  }

  function schedule(): void {
    if (ended.length >= BATCH) flush();
    else if (timer === 'none') {
      timer = 'waits';
      void clock.sleep(MAX_WAIT_MS).then(() => {
        timer = 'none';
        flush();
      });
    }
  }

  function flush(): void {
    if (ended.length === 0 && refused.size === 0) return;
    const [calls, refusals] = [ended, [...refused.values()]];
    [ended, refused] = [[], new Map()];
    if (calls.length > 0) lastSent = calls;
    const before = sent;
    sent = Promise.all([before, store.release(calls, refusals)]);
  }

  return {
    hold: (call) => void held.set(call, renewAtMs),
    end: (call, outcome) => {
      if (!held.delete(call)) return;
      const { orgId, callId, day, credits } = call;
      ended.push({ orgId, callId, day, givesBack: outcome === 'paid' ? null : credits });
      schedule();
    },
    settle: async (orgId) => {
      if (![...ended, ...lastSent].some((call) => call.orgId === orgId)) return false;
      flush();
      await sent;
      return true;
    },
    countRefusal: (orgId, day, verdict) => {
      let counts = refused.get(orgId);
      if (counts?.day !== day) {
        // a day has just ended: what belongs to the one before is sent first
        if (counts !== undefined) flush();
        counts = { orgId, day, byCredits: 0, byConcurrency: 0 };
        refused.set(orgId, counts);
        schedule();
      }
      if (verdict === 'credits') counts.byCredits += 1;
      else counts.byConcurrency += 1;
    },
    close: async () => {
      flush();
      await sent;
    },
  };
}
