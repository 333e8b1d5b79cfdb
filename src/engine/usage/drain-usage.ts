// Brings what has grown in a meter's store into the cell. Twice, late or by two at once changes nothing: the counters
// are absolute, and what was not confirmed is collected again.
import type { DayUsage } from '../../domain/meter/usage.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import type { MeterStore } from '../../stores/meter/meter-store.js';
import { recordUsage } from './record-usage.js';

/** Of one script: calls of gateways wait while it runs. */
const COLLECTED_ROWS = 250;
const RECORDED_ROWS = 2000;
/** One collects while the other's are written. */
const LANES = 2;

/** Returns how many days of orgs were brought. */
export async function drainUsage(cell: CellDatabase, store: Pick<MeterStore, 'collect' | 'confirm'>): Promise<number> {
  let drained = 0;
  /** Full parts only, until the round is over. */
  const drainLane = async (call: 'first' | 'next'): Promise<void> => {
    for (let days = await collectPart(store, call); days.length > 0; days = await collectPart(store, 'next')) {
      await recordUsage(cell, days);
      await store.confirm(days);
      drained += days.length;
      if (days.length < RECORDED_ROWS) return;
    }
  };
  const lanes = await Promise.allSettled(
    Array.from({ length: LANES }, (_, at) => drainLane(at === 0 ? 'first' : 'next')),
  );
  for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
  return drained;
}

async function collectPart(store: Pick<MeterStore, 'collect'>, first: 'first' | 'next'): Promise<readonly DayUsage[]> {
  const days: DayUsage[] = [];
  for (let call = first; days.length < RECORDED_ROWS; call = 'next') {
    const collected = await store.collect(COLLECTED_ROWS, call);
    days.push(...collected);
    if (collected.length < COLLECTED_ROWS) break;
  }
  return days;
}
