// How fast the change feed follows: a thousand edits among all orgs of a cell that is done, found by triggers or by
// updated_at. Measures what a worker does at one poll; how often it checks is not its subject.
import { compose, findDataCenter } from '../../src/compose.js';
import { feedChanges } from '../../src/engine/feed/feed-changes.js';
import { installChangeFeed, removeChangeFeed } from '../../src/engine/setup/triggers.js';
import { lockFenceExclusive } from '../../src/stores/cell/batch/fence.js';
import { allowSingleWrites } from '../../src/stores/cell/reconcile/maintenance.js';
import type { BenchBed } from './bed.js';
import { type BulkMeasure, measureBulkTouch } from './bulk-touch.js';
import type { Print } from './compare.js';
import { chooseWay, type FeedBuild, type FeedMeasure, measurePoll, prepareFeed, WAYS } from './feed-edits.js';
import { formatCount, formatMs } from './numbers.js';
import { measureProduct } from './product.js';

const OURS: FeedBuild = {
  ...{ compose, findDataCenter, feedChanges, installChangeFeed, removeChangeFeed },
  ...{ lockFenceExclusive, allowSingleWrites },
};

export interface FeedMeasures {
  readonly edits: readonly FeedMeasure[];
  readonly bulk: readonly BulkMeasure[];
}

/**
 * Rolls the cell out, then lets the feed follow edits: by updated_at with its index, then by triggers; then one
 * transaction that touches every org.
 */
export async function measureFeed(bed: BenchBed, print: Print): Promise<FeedMeasures> {
  const { ms } = await measureProduct(bed);
  print(`rolled out in ${formatMs(ms)}`);
  const program = await prepareFeed(bed, OURS);
  try {
    const measures: FeedMeasure[] = [];
    for (const way of WAYS) {
      await chooseWay(program, OURS, way);
      for (let run = 1; run <= bed.options.runs; run += 1) {
        const measure = await measurePoll(bed, program, OURS, { way, run });
        measures.push(measure);
        print(
          `run ${run} of ${bed.options.runs}: ${way}, ${formatCount(measure.raised)} raised, ${formatMs(measure.ms)}`,
        );
      }
    }
    return { edits: measures, bulk: await measureBulkTouch(bed, program, print) };
  } finally {
    await program.close();
  }
}
