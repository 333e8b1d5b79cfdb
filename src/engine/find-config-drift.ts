// Instants are pinned by the first apply; a configuration that says otherwise later changes nothing and is reported.
import { parseLocalInstant } from '../domain/calendar/parse-instant.js';
import type { RolloutConfig } from '../domain/config/rollout-config.js';
import { listDataCenters } from '../stores/control/data-centers.js';
import { readRollout } from '../stores/control/rollout.js';
import type { EngineContext } from './context.js';

/** One sentence per instant that differs from the pinned one; empty before the first apply. */
export async function findConfigDrift(
  context: Pick<EngineContext, 'control'>,
  config: RolloutConfig,
): Promise<readonly string[]> {
  const { rows, pinned } = await context.control.inTransaction(async (tx) => ({
    rows: await listDataCenters(tx),
    pinned: (await readRollout(tx)).pinnedAt !== null,
  }));
  if (!pinned) return [];
  return config.dataCenters.flatMap(({ id, zone }) => {
    const row = rows.find((candidate) => candidate.id === id);
    if (row === undefined) return [];
    return [
      compare(id, 'rollout.notBefore', config.rollout.notBefore, row.notBeforeAt, row.notBeforeLocal, zone),
      compare(id, 'signups.cutover', config.signups.cutover, row.cutoverAt, row.cutoverLocal, zone),
    ].filter((sentence) => sentence !== undefined);
  });
}

function compare(
  id: string,
  key: string,
  text: string | undefined,
  pinnedAt: Date | null,
  pinnedLocal: string | null,
  zone: string,
): string | undefined {
  const configured = text === undefined ? null : parseLocalInstant(text, zone).instant;
  if (configured?.getTime() === pinnedAt?.getTime()) return undefined;
  const said = text === undefined ? 'is not in the configuration' : `is ${text} in the configuration`;
  const pinned = pinnedLocal === null ? 'the first apply pinned none' : `${pinnedLocal} was pinned by the first apply`;
  return `Data center "${id}": ${key} ${said}, but ${pinned}; that holds.`;
}
