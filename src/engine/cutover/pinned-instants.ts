// Instants are pinned by the first apply; a configuration that says otherwise later changes nothing and is reported. One
// that still says what a postponement moved has not changed.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { parseLocalInstant } from '../../domain/time/parse-instant.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listCutoverProposals } from '../../stores/control/cutover-proposals.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';

/** One sentence per instant that differs from the pinned one; empty before the first apply. */
export async function findConfigDrift(
  context: Pick<EngineContext, 'control'>,
  config: RolloutConfig,
): Promise<readonly string[]> {
  const { rows, pinned, moves } = await context.control.inTransaction(async (tx) => ({
    rows: await listDataCenters(tx),
    pinned: (await readRollout(tx)).pinnedAt !== null,
    moves: await listMoves(tx),
  }));
  if (!pinned) return [];
  return config.dataCenters.flatMap(({ id, zone }) => {
    const row = rows.find((candidate) => candidate.id === id);
    if (row === undefined) return [];
    return [
      compare(id, 'rollout.notBefore', config.rollout.notBefore, row.notBeforeAt, row.notBeforeLocal, zone),
      compare(id, 'signups.cutover', config.signups.cutover, row.cutoverAt, row.cutoverLocal, zone, moves(id)),
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
  moves: readonly CutoverMove[] = [],
): string | undefined {
  const configured = text === undefined ? null : parseLocalInstant(text, zone).instant;
  if (configured?.getTime() === pinnedAt?.getTime() || wasPinned(configured, moves)) return undefined;
  const said = text === undefined ? 'is not in the configuration' : `is ${text} in the configuration`;
  const move = moves.at(-1);
  const by = move === undefined ? 'was pinned by the first apply' : `was approved as ${move.name}`;
  const pinned = pinnedLocal === null ? 'the first apply pinned none' : `${pinnedLocal} ${by}`;
  return `Data center "${id}": ${key} ${said}, but ${pinned}; that holds.`;
}

/** The configuration says what was pinned first, and was moved since. */
export const wasPinned = (configured: Date | null, [first]: readonly CutoverMove[]): boolean =>
  first !== undefined && configured?.getTime() === first.fromAt?.getTime();

// What moved pinned cut-overs: approved postponements and reversals, in the order of their approvals. Reads only.

export interface CutoverMove {
  /** `in-c3`, `in-r2`. */
  readonly name: string;
  readonly dataCenter: string;
  readonly fromAt: Date | null;
  readonly decidedAt: Date | null;
}

/** By data center, the oldest first. */
export async function listMoves(tx: ControlTransaction): Promise<(dataCenter: string) => readonly CutoverMove[]> {
  const proposals = [
    ...(await listCutoverProposals(tx, 'postponement')),
    ...(await listCutoverProposals(tx, 'reversal')),
  ];
  const moves = proposals
    .filter(({ state }) => state === 'applied')
    .map((proposal) => ({ ...proposal, name: showProposalId(proposal) }))
    .toSorted((one, other) => (one.decidedAt?.getTime() ?? 0) - (other.decidedAt?.getTime() ?? 0));
  return (id) => moves.filter(({ dataCenter }) => dataCenter === id);
}
