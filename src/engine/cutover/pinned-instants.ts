// Where the configuration differs from the instants that the first apply pinned. The pinned instants apply; they change
// only by approved postponements and reversals. A configuration that still has the instant from before those does not
// differ.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listCutoverProposals } from '../../stores/control/cutover-proposals.js';
import { listDataCenters, type PinnedTimes } from '../../stores/control/data-centers.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';

export interface PinDifference {
  readonly dataCenter: string;
  /** The key of the configuration. */
  readonly key: 'rollout.notBefore' | 'signups.cutover';
  /** As written, and with its zone; null: the configuration has none. */
  readonly configured: { readonly text: string; readonly local: string } | null;
  /** What a clock in the zone shows at the pinned instant; null: none was pinned. */
  readonly pinnedLocal: string | null;
  /** The last proposal that changed it, such as `in-c3`; null: as the first apply pinned it. */
  readonly changedBy: string | null;
}

/** Of these data centers; empty before the first apply. Throws invalid_instant. */
export async function listPinDifferences(
  { control }: Pick<EngineContext, 'control'>,
  config: RolloutConfig,
  dataCenters: readonly DataCenterConfig[] = config.dataCenters,
): Promise<readonly PinDifference[]> {
  const { rows, pinned, changes } = await control.inTransaction(async (tx) => ({
    rows: await listDataCenters(tx),
    pinned: (await readRollout(tx)).pinnedAt !== null,
    changes: await listChanges(tx),
  }));
  if (!pinned) return [];
  return dataCenters.flatMap((dataCenter) => {
    const row = rows.find(({ id }) => id === dataCenter.id);
    return row === undefined ? [] : compare(config, dataCenter, row, changes(dataCenter.id));
  });
}

/** One sentence for each difference, for a person who applies. */
export async function findConfigDrift(
  context: Pick<EngineContext, 'control'>,
  config: RolloutConfig,
): Promise<readonly string[]> {
  const differences = await listPinDifferences(context, config);
  return differences.map(({ dataCenter, key, configured, pinnedLocal, changedBy }) => {
    const here = configured === null ? 'is not in the configuration' : `is ${configured.text} in the configuration`;
    const by = changedBy === null ? 'was pinned by the first apply' : `was approved as ${changedBy}`;
    const pinned = pinnedLocal === null ? 'the first apply pinned none' : `${pinnedLocal} ${by}`;
    return `Data center "${dataCenter}": ${key} ${here}, but ${pinned}; the pinned one applies.`;
  });
}

function compare(
  { rollout, signups }: RolloutConfig,
  { id: dataCenter, zone }: DataCenterConfig,
  { notBeforeAt, notBeforeLocal, cutoverAt, cutoverLocal }: PinnedTimes,
  changes: readonly CutoverChange[],
): readonly PinDifference[] {
  const notBefore = parseConfigured(rollout.notBefore, zone);
  const cutover = parseConfigured(signups.cutover, zone);
  const [first] = changes;
  const isOriginal = first !== undefined && isSame(cutover?.at ?? null, first.fromAt);
  const differences: PinDifference[] = [];
  if (!isSame(notBefore?.at ?? null, notBeforeAt))
    differences.push({
      dataCenter,
      key: 'rollout.notBefore',
      configured: notBefore,
      pinnedLocal: notBeforeLocal,
      changedBy: null,
    });
  if (!isSame(cutover?.at ?? null, cutoverAt) && !isOriginal)
    differences.push({
      dataCenter,
      key: 'signups.cutover',
      configured: cutover,
      pinnedLocal: cutoverLocal,
      changedBy: changes.at(-1)?.name ?? null,
    });
  return differences;
}

const isSame = (one: Date | null, other: Date | null): boolean => one?.getTime() === other?.getTime();

function parseConfigured(text: string | undefined, zone: string) {
  if (text === undefined) return null;
  const { instant, local } = parseLocalInstant(text, zone);
  return { at: instant, text, local: `${local} ${zone}` };
}

/** An approved postponement or reversal. */
interface CutoverChange {
  /** `in-c3`, `in-r2`. */
  readonly name: string;
  readonly fromAt: Date | null;
}

/** By data center, in the order of their approvals. */
async function listChanges(tx: ControlTransaction): Promise<(dataCenter: string) => readonly CutoverChange[]> {
  const proposals = [
    ...(await listCutoverProposals(tx, 'postponement')),
    ...(await listCutoverProposals(tx, 'reversal')),
  ];
  const applied = proposals
    .filter(({ state }) => state === 'applied')
    .map((proposal) => ({ ...proposal, name: showProposalId(proposal) }))
    .toSorted((one, other) => (one.decidedAt?.getTime() ?? 0) - (other.decidedAt?.getTime() ?? 0));
  return (id) => applied.filter(({ dataCenter }) => dataCenter === id);
}
