// A meter with a cell that a test writes: limits by org, and how often they were read.
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import type { Clock } from '../../src/kernel/clock.js';
import { createMeter, type Meter, type MeterEvent, type MeterOptions } from '../../src/meter/create-meter.js';
import type { CellLimits } from '../../src/meter/limit-cache.js';
import type { MeterStore } from '../../src/stores/meter/meter-store.js';
import { sampleCardText } from '../domain/rate-card/sample-card.js';

const { costs } = parseRateCard(sampleCardText);

export const onCredits = (capacity: number | bigint, concurrency: number | null = null): CellLimits => ({
  model: 'credits',
  capacity: BigInt(capacity),
  concurrency,
});
export const onLegacy = (capacity: number): CellLimits => ({
  model: 'legacy',
  capacity: BigInt(capacity),
  concurrency: null,
});

export interface MeterScene {
  readonly meter: Meter;
  readonly orgs: Map<string, CellLimits>;
  readonly events: MeterEvent[];
  /** Resolves with the next event of this kind that comes from now on. */
  next(kind: MeterEvent['kind']): Promise<MeterEvent>;
  /** The orgs of each reading of the cell. */
  readonly readings: (readonly string[])[];
  /** Makes the cell unreadable, or readable again. */
  failCell(error: Error | undefined): void;
}

export function openMeter(store: MeterStore, options: Partial<MeterOptions> = {}): MeterScene {
  const orgs = new Map<string, CellLimits>();
  const events: MeterEvent[] = [];
  const readings: (readonly string[])[] = [];
  const listeners = new Set<(event: MeterEvent) => void>();
  let failure: Error | undefined;
  const meter = createMeter({
    zone: 'Asia/Kolkata',
    costs,
    store,
    readCapacity: async (ids) => {
      readings.push(ids);
      if (failure !== undefined) throw failure;
      return new Map(ids.flatMap((id) => (orgs.has(id) ? [[id, orgs.get(id) as CellLimits]] : [])));
    },
    onEvent: (event) => {
      events.push(event);
      for (const listener of listeners) listener(event);
    },
    ...options,
  });
  return {
    meter,
    orgs,
    events,
    readings,
    next: (kind) =>
      new Promise((resolve) => {
        const listener = (event: MeterEvent): void => {
          if (event.kind !== kind) return;
          listeners.delete(listener);
          resolve(event);
        };
        listeners.add(listener);
      }),
    failCell: (error) => {
      failure = error;
    },
  };
}

/** A clock that a test moves; who sleeps wakes when the time has come. */
export function createHandClock(startMs: number): Clock & { move(ms: number): Promise<void>; readonly nowMs: number } {
  let nowMs = startMs;
  let sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  return {
    get nowMs() {
      return nowMs;
    },
    now: () => new Date(nowMs),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const wake = (): void => {
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        sleepers.push({ atMs: nowMs + ms, wake });
        signal?.addEventListener('abort', wake, { once: true });
      }),
    move: async (ms) => {
      nowMs += ms;
      const due = sleepers.filter(({ atMs }) => atMs <= nowMs);
      sleepers = sleepers.filter(({ atMs }) => atMs > nowMs);
      for (const { wake } of due) wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
