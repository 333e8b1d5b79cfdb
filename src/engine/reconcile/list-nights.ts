// The nightly runs of data centers: what each found and healed, and how that compares with the one before. Counts only.
import { type DriftTotals, readTotals } from '../../domain/reconcile/drift-counts.js';
import { listNightRows, type NightRow } from '../../stores/control/night-list.js';
import type { EngineContext } from '../context.js';

export interface ListedNight extends Omit<NightRow, 'counts'> {
  /** Null: it has not ended, or it did not run. */
  readonly totals: DriftTotals | null;
  /** Orgs with drift, minus those of the reconciliation before; null: there is none to compare with. */
  readonly trend: number | null;
}

export interface NightList {
  /** Newest first. */
  readonly nights: readonly ListedNight[];
  /** There are older ones. */
  readonly more: boolean;
}

export async function listNights(
  context: Pick<EngineContext, 'control'>,
  { dataCenters, limit }: { readonly dataCenters: readonly string[]; readonly limit: number },
): Promise<NightList> {
  const rows = await context.control.inTransaction((tx) => listNightRows(tx, dataCenters, limit + 1));
  const nights = rows.map(({ counts, ...row }) => ({ ...row, totals: readTotals(counts) ?? null }));
  const listed = nights.map((night, index) => ({ ...night, trend: compare(night, nights.slice(index + 1)) }));
  return { nights: listed.slice(0, limit), more: rows.length > limit };
}

type Night = Omit<ListedNight, 'trend'>;

function compare(night: Night, older: readonly Night[]): number | null {
  const before = older.find(
    ({ dataCenter, kind, totals }) => dataCenter === night.dataCenter && kind === night.kind && totals !== null,
  );
  if (night.kind !== 'reconcile' || night.totals === null || before?.totals == null) return null;
  return night.totals.found - before.totals.found;
}
