// Refusals that were confirmed just now: for up to a second what costs as much is refused for the same reason, here and
// with the same answer. A flood of refused calls reaches neither the store nor the cell.
import type { Verdict } from '../domain/meter/decide-call.js';
import { isWithin } from '../kernel/clock.js';
import type { Admission } from './admission.js';

type Refusing = Exclude<Verdict, 'allowed'>;

export const REFUSED_LOCALLY_MS = { credits: 1000, concurrency: 100 } as const satisfies Record<Refusing, number>;
const MAX_ANSWERS = 200;

export interface RecentRefusal {
  readonly verdict: Refusing;
  /** When the reading of the org's limits began that confirmed it. */
  readonly readAtMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** The least price, in credits, that is refused. */
  readonly price: number;
  readonly day: string;
  /** The answer to a call of this price. */
  readonly refuse: (credits: number) => Admission;
}

export interface RecentRefusals {
  /** The answer to a call that is refused as another was, which is counted; undefined: it must be decided. */
  answer(orgId: string, credits: number): Promise<Admission> | undefined;
  keep(orgId: string, refusal: RecentRefusal): void;
  find(orgId: string): RecentRefusal | undefined;
  /** A slot is free again: refusals for concurrency end. */
  endConcurrency(orgId: string): void;
  count(): number;
}

interface Kept {
  readonly refusal: RecentRefusal;
  untilMs: number;
  /** By price. */
  readonly answers: Map<number, Promise<Admission>>;
}

export function createRecentRefusals(options: {
  readonly now: () => number;
  readonly onRefused: (orgId: string, refusal: RecentRefusal) => void;
}): RecentRefusals {
  const { now, onRefused } = options;
  const byOrg = new Map<string, Kept>();
  let counted = 0;

  function makeAnswer({ refusal, answers }: Kept, credits: number): Promise<Admission> {
    const made = Promise.resolve(refusal.refuse(credits));
    if (answers.size < MAX_ANSWERS) answers.set(credits, made);
    return made;
  }

  return {
    answer: (orgId, credits) => {
      if (byOrg.size === 0) return undefined;
      const kept = byOrg.get(orgId);
      if (kept === undefined) return undefined;
      const nowMs = now();
      const { refusal } = kept;
      // a clock that was set back makes no refusal last
      if (nowMs < kept.untilMs && nowMs >= refusal.fromMs && credits >= refusal.price) {
        counted += 1;
        onRefused(orgId, refusal);
        return kept.answers.get(credits) ?? makeAnswer(kept, credits);
      }
      if (!isWithin(REFUSED_LOCALLY_MS.credits, refusal.readAtMs, nowMs)) byOrg.delete(orgId);
      return undefined;
    },
    keep: (orgId, refusal) => void byOrg.set(orgId, { refusal, untilMs: refusal.untilMs, answers: new Map() }),
    find: (orgId) => byOrg.get(orgId)?.refusal,
    endConcurrency: (orgId) => {
      if (byOrg.size === 0) return;
      const kept = byOrg.get(orgId);
      if (kept?.refusal.verdict === 'concurrency') kept.untilMs = 0;
    },
    count: () => counted,
  };
}
