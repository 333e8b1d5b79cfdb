// How far a data center is: share, bar, rate, time left. Pure; never shows more than its batches have done.
import { progressShare } from '../../domain/time/estimate.js';
import type { DataCenterStatus, Status } from '../../engine/operate/read-status.js';
import type { CommandNames } from '../terminal/command-names.js';
import { displayWidth } from '../terminal/display-width.js';
import { showCount, showRange, showShare } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { indent, layOutRows } from '../terminal/table.js';
import { findIcon, nameWord, showHoldBriefly } from './show-state.js';

const BAR = 20;

export function drawBar(share: number, width = BAR): string {
  const full = Math.min(width, Math.max(0, Math.floor(share * width)));
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** Orgs done of orgs expected, as its stage counts them. */
export function measure(dc: Pick<DataCenterStatus, 'stage' | 'progress'>): {
  readonly done: number;
  readonly of: number;
} {
  const { progress } = dc;
  if (progress === null) return { done: 0, of: 0 };
  const { orgsDone, orgsExpected, orgsVerified } = progress;
  return dc.stage === 'verifying'
    ? { done: Math.min(orgsVerified, orgsDone), of: orgsDone }
    : { done: Math.min(orgsDone, orgsExpected), of: orgsExpected };
}

/** 0 to 1; 0 while nothing is known yet. */
export function shareOf(dc: Pick<DataCenterStatus, 'stage' | 'progress'>): number {
  const { done, of } = measure(dc);
  if (dc.stage === 'done' || dc.stage === 'baking') return 1;
  return of === 0 ? 0 : progressShare(done, of);
}

/** A batch older than this is not part of the present rate, in ms. */
const RATE_MS = 10_000;

/** Orgs per second of the newest batches; null when none ran lately. */
export function readRate(dc: Pick<DataCenterStatus, 'stage' | 'progress' | 'lanes'>): number | null {
  const { progress, stage, lanes } = dc;
  if (progress === null || stage !== 'migrating' || progress.idleMs > RATE_MS) return null;
  const ms = progress.recent.reduce((sum, batch) => sum + batch.durationMs, 0);
  const orgs = progress.recent.reduce((sum, batch) => sum + batch.orgs, 0);
  return ms === 0 ? null : Math.round((orgs / ms) * 1000 * lanes);
}

/**
 * One line per data center, for a screen that is redrawn or a log; its notes on a line of their own where it would be
 * too long. No colours but the icon's.
 */
export function showProgress(
  status: Status,
  dataCenters: readonly string[],
  { paint, width }: { readonly paint: Paint; readonly width: number },
): readonly string[] {
  const shown = status.dataCenters.filter(({ id }) => dataCenters.includes(id));
  const words = shown.map(nameWord);
  const rows = shown.map((dc, index) => [words[index] ?? '', dc.id, ...progressCells(dc, width)]);
  const table = layOutRows(
    [{ title: '' }, { title: '' }, { title: '', kept: 'whole' }, { title: '', align: 'right', rank: 1 }],
    rows,
    width - ICON,
  );
  return shown.flatMap((dc, index) => {
    const { icon, tone } = findIcon(words[index] ?? '');
    const [first = '', ...others] = table.rows[index] ?? [];
    const notes = listProgressNotes(dc).join(' · ');
    const line = `${first}  ${notes}`.trimEnd();
    return ICON + displayWidth(line) <= width
      ? [`${paint(icon, tone)} ${line}`, ...indent(others)]
      : [`${paint(icon, tone)} ${first}`, ...indent(others), `    ${notes}`];
  });
}

/** Columns of the icon and the space after it. */
const ICON = 2;
/** Narrower than this, the bar is half as long. */
const WIDE = 100;

function progressCells(dc: DataCenterStatus, width: number): readonly string[] {
  const { done, of } = measure(dc);
  const orgs = of === 0 ? '' : `${showCount(done)}/${showCount(of)} orgs`;
  return [`${drawBar(shareOf(dc), width < WIDE ? BAR / 2 : BAR)} ${showShare(shareOf(dc)).padStart(6)}`, orgs];
}

function listProgressNotes(dc: DataCenterStatus): readonly string[] {
  const rate = readRate(dc);
  const [hold] = dc.holds;
  return [
    rate === null ? undefined : `${showCount(rate)} orgs/s`,
    dc.remaining === null ? undefined : `${showRange(dc.remaining)} left`,
    dc.failure === null ? undefined : dc.failure,
    hold === undefined ? undefined : showHoldBriefly(hold),
    dc.blockers[0] === undefined
      ? undefined
      : `blocked by session ${dc.blockers[0].pid ?? 'of a prepared transaction'}`,
  ].filter((note) => note !== undefined);
}

/** Everything about one data center in one line, for a log. */
export function showStatusLine(dc: DataCenterStatus, commands: CommandNames): string {
  const { done, of } = measure(dc);
  const { progress } = dc;
  const rate = readRate(dc);
  const [hold] = dc.holds;
  const state = hold === undefined ? nameWord(dc) : `${nameWord(dc)}, ${showHoldBriefly(hold)}`;
  return [
    `${dc.id} ${dc.stage}: ${done}/${of} ${showShare(shareOf(dc)).replace(' ', '')}`,
    `Wrote: ${(progress?.inserted ?? 0) + (progress?.raised ?? 0)} Same: ${progress?.unchanged ?? 0} Stale: ${progress?.stale ?? 0} Quar: ${progress?.quarantined ?? 0}`,
    `Batch: ${progress?.done ?? 0}/${progress?.batches ?? 0}`,
    `Rate: ${rate === null ? 'N/A' : `${rate}/s`}`,
    `State: ${state}`,
    `ETA: ${dc.remaining === null ? 'N/A' : showRange(dc.remaining)}`,
    ...(hold === undefined ? [] : [`Release: ${commands.showRelease(hold.release)}`]),
  ].join('; ');
}
