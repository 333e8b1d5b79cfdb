// The check of `doctor` on ranges of the source, where one org of it takes long: what a batch of the least size reads,
// measured as a batch reads it, which commands that is too long for, and how long all orgs take. Shows no org.
import { CHOSEN_SIZES } from '../../domain/plan/batch-size.js';
import { isWholeForMany, nameReading } from '../../domain/source/read-times.js';
import { formatDuration } from '../../domain/time/duration.js';
import { measureOrgList, readReadTimes } from '../../stores/cell/setup/read-times.js';
import { type CellWithSource, FASTER_VIEW, formatReadMs, INDEXED_VIEW, measureOnSource } from './check-source.js';
import type { Finding, FindingRecorder } from './finding.js';

const ORGS = CHOSEN_SIZES.least;
/** A statement of a batch takes no longer, since a pause waits for it. */
const BATCH_MS = 2_000;
/** It may take several times as long beside the product's traffic. */
const AMPLE_MS = 500;
const LIMIT_MS = 10_000;
const MANY = 1_000_000;

/** Nothing where one org and a list are read quickly, or there are too few to measure. */
export async function checkRanges(
  { cell }: Pick<CellWithSource, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const times = await cell.inTransaction('reader', readReadTimes, { source: 'unread' });
  const isWhole = isWholeForMany(times);
  if (nameReading(times) === 'alone' && !isWhole) return [];
  const ms = await measureOnSource(cell, LIMIT_MS, (tx, limitMs) => measureOrgList(tx, limitMs, ORGS));
  if (ms === null) return [];
  const took = `${ORGS} orgs are read in ${formatReadMs(ms)}`;
  if (!isWhole) return [judgeEach(record, took, ms / ORGS)];
  const all = formatDuration((MANY / CHOSEN_SIZES.most) * ms);
  const whole = `${took}, and fewer take as long: the view is computed as a whole each time`;
  if (ms > BATCH_MS)
    return [record.error(`${whole}. A batch may take 2 s: a rollout would fail (batch_too_slow)`, FASTER_VIEW)];
  const cost = `${whole}; ${describeAll(all)}`;
  return [ms > AMPLE_MS ? record.warning(cost, FASTER_VIEW) : record.ok(cost)];
}

const describeAll = (all: string): string =>
  `with 1,000,000 orgs a plan, a rollout and a night would each read for ${all} or longer`;

/** Batches are split until they take 2 s. */
function judgeEach(record: FindingRecorder, took: string, orgMs: number): Finding {
  const all = formatDuration(MANY * orgMs);
  const cost = `${took}; ${describeAll(all)}`;
  return orgMs * ORGS > BATCH_MS ? record.warning(cost, INDEXED_VIEW) : record.ok(cost);
}
