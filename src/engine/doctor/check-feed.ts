// The check of `doctor` on the change feed: how it finds edits, how long that takes on this source, measured by the
// statement that the feed uses, and which index it needs.

import { isFollowed, longestWaitMs } from '../../domain/feed/decide-pace.js';
import { advise, command } from '../../kernel/advice.js';
import { toPastedSql } from '../../kernel/pasted-sql.js';
import { measureSearch } from '../../stores/cell/feed/updated-orgs.js';
import { readFeedFacts } from '../../stores/cell/setup/change-triggers.js';
import type { Source } from '../../stores/cell/setup/source.js';
import { type CellWithSource, measureOnSource } from './check-source.js';
import type { Finding, FindingRecorder } from './finding.js';

/** The feed cancels a search that takes longer. */
const SEARCH_LIMIT_MS = 2_000;
/** Longer than the feed ever rests. */
const UNREAD_MS = 600_000;

/**
 * Whether edits are found within seconds, and at which cost. Never an error: without the feed, the nightly run follows.
 */
export async function checkFeed(
  { cell, source }: Pick<CellWithSource, 'cell' | 'source'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const { triggers, byTriggers, indexed, failure, unreadMs } = await cell.asOwner((tx) =>
    readFeedFacts(tx, source.relation),
  );
  const lookMs = await measureOnSource(cell, SEARCH_LIMIT_MS, measureSearch);
  const unread = unreadMs !== null && unreadMs > UNREAD_MS;
  const found = unread
    ? record.warning(
        `nothing was read for ${Math.floor(unreadMs / 60_000)} minutes: raises wait for the nightly run`,
        advise`See whether workers of this data center run, and what they log: ${command('status')}`,
      )
    : triggers
      ? record.ok('triggers record edited orgs: raises follow within seconds')
      : byTriggers
        ? record.warning(
            `the triggers that record edited orgs are not on ${source.relation}, or disabled: no edit is found before ` +
              'the night',
            advise`Run: ${command('init')}`,
          )
        : describeUpdates(source, { indexed, lookMs }, record);
  if (failure === null) return [found];
  return [found, record.warning(`its last attempt failed (${failure})`, 'The nightly run follows what it missed.')];
}

function describeUpdates(
  { relation, kind, columns }: Source,
  { indexed, lookMs }: { readonly indexed: boolean; readonly lookMs: number | null },
  record: FindingRecorder,
): Finding {
  if (!columns.has('updated_at') || lookMs === null)
    return record.ok('neither updated_at nor triggers: edited orgs follow in the nightly run');
  const isTable = kind === 'table' || kind === 'materialized view';
  const took = `finding edits by updated_at takes ${lookMs >= SEARCH_LIMIT_MS ? 'more than 2 s' : formatSeconds(lookMs)}`;
  if (isTable && !indexed) {
    const found = `no index of ${relation} begins with updated_at: ${took}, and reads all of it, so it is rare`;
    return record.warning(found, `Run: CREATE INDEX CONCURRENTLY ON ${toPastedSql(relation)} (updated_at);`);
  }
  if (isFollowed(lookMs)) return record.ok(`${took}: raises follow within seconds`);
  if (lookMs >= SEARCH_LIMIT_MS)
    return record.warning(`${took}: it is given up, and raises wait for the nightly run`, FASTER_VIEW);
  const wait = formatSeconds(longestWaitMs(lookMs));
  return record.warning(`${took}, so it is rare: a raise follows up to ${wait} after its edit`, FASTER_VIEW);
}

// what keeps a condition on updated_at from the index of a table below: a value that is computed, and a window over all
// rows or a grouped query that is joined for every row
const FASTER_VIEW = advise`Let the view take updated_at as it is from one table, create an index on it there, and avoid \
window functions over all rows. Or let source name a table, and run: ${command('init --change-feed')}`;

const formatSeconds = (ms: number): string => (ms < 1_000 ? `${Math.ceil(ms)} ms` : `${Math.ceil(ms / 1_000)} s`);
