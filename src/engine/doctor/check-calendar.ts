// Doctor's look at time: the clock of a cell, its knowledge of the zone, and whether both sides read the same instants.

import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { type LocalInstant, parseLocalInstant } from '../../domain/time/parse-instant.js';
import { describeNeverOpen, findFirstOpening } from '../../domain/windows/first-opening.js';
import type { WindowSpec } from '../../domain/windows/windows.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { isZoneKnown, readLocalInCell } from '../../stores/cell/setup/doctor-queries.js';
import type { Finding, FindingRecorder } from './finding.js';

const MAX_MS = 2_000;

/** A cell's clock, and ours just before and after it was read. */
export interface ClockReading {
  readonly before: Date;
  readonly cell: Date;
  readonly after: Date;
}

/** Warns from 2 s on, whatever the answer took. */
export function checkClock(recorder: FindingRecorder, { before, cell, after }: ClockReading): Finding {
  const tookMs = after.getTime() - before.getTime();
  const aheadMs = cell.getTime() - before.getTime() - tookMs / 2;
  if (Math.abs(aheadMs) <= MAX_MS + tookMs / 2) return recorder.ok('clock', `within ${MAX_MS / 1000} s of ours`);
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const found = `${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ours; cut-overs go by the cell's clock`;
  return recorder.warning('clock', found, 'Let both machines keep time by NTP.');
}

/** The zone as Postgres knows it, then every configured instant as both sides read it. */
export async function checkCalendar(
  recorder: FindingRecorder,
  cell: CellDatabase,
  { zone }: DataCenterConfig,
  config: RolloutConfig,
  now: Date,
): Promise<readonly Finding[]> {
  return recorder.run('zone', async () => {
    if (!(await cell.asOwner((tx) => isZoneKnown(tx, zone)))) {
      const found = `the zone ${zone} is not known to its Postgres (pg_timezone_names)`;
      return [recorder.error('zone', found, 'Use a name such as Asia/Kolkata, or UTC.', 'invalid_zone')];
    }
    const instants = [
      ['rollout.notBefore', config.rollout.notBefore],
      ['signups.cutover', config.signups.cutover],
    ].flatMap(([key, text]) => (key === undefined || text === undefined ? [] : [{ key, text }]));
    const findings = instants.map(({ key, text }) =>
      recorder.run('instants', async () => [
        await checkInstant(recorder, cell, { key, at: parseLocalInstant(text, zone), now }),
      ]),
    );
    const windows = checkWindows(recorder, config.rollout.windows, zone, now);
    return [recorder.ok('zone', zone), ...(await Promise.all(findings)).flat(), ...windows];
  });
}

/** Invariant I18 by the cell's own zone data, which may be older or newer than ours; and whether it has passed at `now`. */
export async function checkInstant(
  recorder: FindingRecorder,
  cell: CellDatabase,
  { key, at, now }: { readonly key: string; readonly at: LocalInstant; readonly now: Date },
): Promise<Finding> {
  const reading = await cell.asOwner((tx) => readLocalInCell(tx, at));
  const ours = `${key} ${at.local} ${at.zone} = ${at.instant.toISOString()}`;
  const passed = at.instant <= now ? '; it has passed: due now, where it has not happened' : '';
  if (reading.agrees) return recorder.ok('instants', `${ours}${passed}`);
  const found = `${ours} here, but ${reading.instant.toISOString()} in its Postgres`;
  const fix = 'Bring the older time zone data up to date: that of the PostgreSQL server, or Node.js.';
  return recorder.error('instants', found, fix, 'zone_data_differs');
}

/** Says when a rollout may run next; nothing where there are no windows. */
function checkWindows(
  recorder: FindingRecorder,
  windows: readonly WindowSpec[],
  zone: string,
  now: Date,
): readonly Finding[] {
  if (windows.length === 0) return [];
  const opens = findFirstOpening(windows, zone, now);
  if (opens === null) {
    const fix = 'Correct rollout.windows in the configuration.';
    return [
      recorder.error('windows', `they never open again: ${describeNeverOpen(windows)}`, fix, 'windows_never_open'),
    ];
  }
  return [recorder.ok('windows', opens <= now ? 'one is open' : `the next one opens at ${opens.toISOString()}`)];
}
