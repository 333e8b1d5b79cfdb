// Calls that are in flight here: keeps the slots of those that take long, and tells the store in batches which have
// ended and what was refused. Never waits longer than 5 ms for more.
import type { Clock } from '../kernel/clock.js';
import { type AcquireRequest, type GivenRefusals, LEASE_MS, type ReleaseRequest } from '../stores/meter/meter-store.js';
import type { DecidedRequest } from './call-batches.js';
import { HeldCall, HeldCalls } from './held-calls.js';
import type { SteadyStore } from './steady-store.js';

export interface Releases {
  /** The slot of a call that was allowed is kept until it ends; that of a repeated one by whom it was charged to. */
  hold(call: Omit<AcquireRequest, 'limits'>, decided: DecidedRequest): HeldCall;
  /** Only the first time counts. */
  end(call: HeldCall, outcome: ReleaseRequest['outcome']): void;
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
  readonly store: Pick<SteadyStore, 'release' | 'renew' | 'endNow'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Releases {
  const { store, clock, signal } = options;
  const held = new HeldCalls();
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
      const due = held.listDue(nowMs, RENEW_MS);
      for (const call of due) call.renewAtMs = renewAtMs;
      if (due.length > 0 && !signal.aborted) await store.renew(due, 'renewed');
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
    hold: (call, { day, answer: { repeated, slot } }) => {
      // nobody may ever end a repeated one
      const one = new HeldCall(call, day.day, repeated ? 'not renewed' : 'renewed', renewAtMs, slot);
      if (!repeated) held.add(one);
      return one;
    },
    end: (call, outcome) => {
      if (call.state === 'ended') return;
      if (call.state === 'renewed') held.remove(call);
      call.state = 'ended';
      if (store.endNow(call, outcome)) return;
      const { orgId, callId, day } = call;
      ended.push({ orgId, callId, day, outcome });
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
