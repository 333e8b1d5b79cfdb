// Doctor's look at the change feed: whether edits are seen within seconds, and what they cost to find.
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { readFeedFacts } from '../../stores/cell/setup/change-triggers.js';
import type { Source } from '../../stores/cell/setup/source.js';
import type { Examiner, Finding } from './finding.js';

const CHECK = 'change feed';

/** After `init`; never an error: without the feed, the night follows. */
export async function examineFeed(examiner: Examiner, cell: CellDatabase, source: Source): Promise<readonly Finding[]> {
  return examiner.run(CHECK, async () => {
    const { triggers, indexed, failure } = await cell.asOwner((tx) => readFeedFacts(tx, source.relation));
    const failed =
      failure === null
        ? []
        : [examiner.warning(CHECK, `its last attempt failed (${failure})`, 'What it missed, the nightly run brings.')];
    if (triggers) return [examiner.ok(CHECK, 'triggers note edited orgs: raises follow within seconds'), ...failed];
    return [describeUpdates(examiner, source, indexed), ...failed];
  });
}

function describeUpdates(examiner: Examiner, { relation, kind, columns }: Source, indexed: boolean): Finding {
  if (!columns.has('updated_at'))
    return examiner.ok(CHECK, 'neither updated_at nor triggers: edited orgs follow in the nightly run');
  if (kind !== 'table' && kind !== 'materialized view')
    return examiner.ok(CHECK, `by updated_at of a ${kind}: as fast as what it reads`);
  if (indexed) return examiner.ok(CHECK, 'by updated_at, with an index: raises follow within seconds');
  const found = `no index of ${relation} begins with updated_at: finding edited orgs reads all of it, so it is done seldom`;
  return examiner.warning(CHECK, found, `Run: CREATE INDEX CONCURRENTLY ON ${relation} (updated_at);`);
}
