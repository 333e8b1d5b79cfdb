// Checks of `doctor` on time: whether a cell knows its zone, reads the configured instants as we do, and when windows
// open.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { type LocalInstant, parseLocalInstant } from '../../domain/time/parse-instant.js';
import { describeNeverOpen, findFirstOpening } from '../../domain/windows/first-opening.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { isZoneKnown, readLocalInCell } from '../../stores/cell/setup/doctor-queries.js';
import type { Finding, FindingRecorder } from './finding.js';

interface CellCalendar {
  readonly cell: CellDatabase;
  readonly dataCenter: Pick<DataCenterConfig, 'zone'>;
  readonly config: RolloutConfig;
  /** By our clock. */
  readonly now: Date;
}

/** The zone as Postgres knows it. */
export async function checkZone(
  { cell, dataCenter: { zone } }: Pick<CellCalendar, 'cell' | 'dataCenter'>,
  record: FindingRecorder,
): Promise<Finding> {
  if (await cell.asOwner((tx) => isZoneKnown(tx, zone))) return record.ok(zone);
  const found = `the zone ${zone} is not known to its Postgres (pg_timezone_names)`;
  return record.error(found, 'Use a name such as Asia/Kolkata, or UTC.', 'invalid_zone');
}

/** Every configured instant as both sides read it; one that cannot be read hides no other. */
export async function checkInstants(
  { cell, dataCenter: { zone }, config, now }: CellCalendar,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const instants = [
    { key: 'rollout.notBefore', text: config.rollout.notBefore },
    { key: 'signups.cutover', text: config.signups.cutover },
  ];
  const findings = instants.map(async ({ key, text }) => {
    if (text === undefined) return [];
    try {
      return [await checkInstant(cell, { key, at: parseLocalInstant(text, zone), now }, record)];
    } catch (error) {
      return [record.failure(error)];
    }
  });
  return (await Promise.all(findings)).flat();
}

/**
 * Invariant I18 by the cell's own zone data, which may be older or newer than ours; and whether it has passed at `now`.
 */
export async function checkInstant(
  cell: CellDatabase,
  { key, at, now }: { readonly key: string; readonly at: LocalInstant; readonly now: Date },
  record: FindingRecorder,
): Promise<Finding> {
  const reading = await cell.asOwner((tx) => readLocalInCell(tx, at));
  const ours = `${key} ${at.local} ${at.zone} = ${at.instant.toISOString()}`;
  const passed = at.instant <= now ? '; it has passed: due now, where it has not happened' : '';
  if (reading.agrees) return record.ok(`${ours}${passed}`);
  const found = `${ours} here, but ${reading.instant.toISOString()} in its Postgres`;
  const fix = 'Update the older time zone data: that of the PostgreSQL server, or Node.js.';
  return record.error(found, fix, 'zone_data_differs');
}

/** When a rollout may run next; nothing where there are no windows. */
export function checkWindows(
  { dataCenter: { zone }, config, now }: Pick<CellCalendar, 'dataCenter' | 'config' | 'now'>,
  record: FindingRecorder,
): readonly Finding[] {
  const { windows } = config.rollout;
  if (windows.length === 0) return [];
  const opens = findFirstOpening(windows, zone, now);
  if (opens !== null) return [record.ok(opens <= now ? 'one is open' : `the next one opens at ${opens.toISOString()}`)];
  const found = `they never open again: ${describeNeverOpen(windows)}`;
  return [record.error(found, 'Correct rollout.windows in the configuration.', 'windows_never_open')];
}
