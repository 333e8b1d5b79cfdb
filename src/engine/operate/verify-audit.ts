// Proves that the audit is what was recorded: the chain from its first link to its head, as of one moment, against the
// heads that cells keep. Reads only.
import {
  type AcceptedCut,
  type AuditCut,
  breakByCuts,
  listSilent,
  type SilentCell,
} from '../../domain/operate/lost-heads.js';
import {
  CHAIN_START,
  type ChainBreak,
  type ChainHead,
  type ChainProof,
  type ChainState,
  verifyEnd,
  verifyPart,
} from '../../domain/operate/verify-chain.js';
import { type CutProposal, findOpenAuditCut } from '../../stores/control/audit-cuts.js';
import { listChain, readChainEnd } from '../../stores/control/audit-links.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import type { EngineContext } from '../context.js';
import { type ComparedCells, describeCuts, findLostHeads, listCellHeads } from './lost-heads.js';

const PAGE = 2_000;

/** `accepted`: what is there is as recorded, and people accepted a loss. `uncompared`: a cell could not be read. */
export type AuditFinding = ChainBreak | ({ readonly kind: 'intact' | 'accepted' | 'uncompared' } & ChainState);

export type AuditProof = AuditFinding &
  ComparedCells & {
    /** Heads that control has lost and nobody accepted. */
    readonly lost: readonly AuditCut[];
    readonly accepted: readonly AcceptedCut[];
    readonly silent: readonly SilentCell[];
    /** The proposal to accept a loss that waits for its approval. */
    readonly proposed: CutProposal | null;
  };

/** `heads`: those that somebody kept; the chain must have each of them, and each of what cells keep. */
export async function verifyAudit(
  context: Pick<EngineContext, 'control' | 'cells'>,
  heads: readonly ChainHead[],
): Promise<AuditProof> {
  // before the chain is read: each of them is older than that
  const { kept, ...cells } = await listCellHeads(context);
  return context.control.inTransaction(
    async (tx): Promise<AuditProof> => {
      const { lost, accepted } = await findLostHeads(tx, kept);
      const chain = await verifyChain(tx, heads);
      const found = (chain.kind === 'intact' ? breakByCuts(chain.link, lost) : undefined) ?? chain;
      const kind = cells.notCompared.length > 0 ? 'uncompared' : accepted.length > 0 ? 'accepted' : 'intact';
      const finding: AuditFinding = found.kind === 'broken' ? found : { ...found, kind };
      const silent = found.kind === 'broken' ? [] : listSilent(kept, found.link);
      const proposed = await findOpenAuditCut(tx);
      return { ...finding, ...cells, lost: await describeCuts(tx, lost), accepted, silent, proposed };
    },
    { reads: 'one moment' },
  );
}

async function verifyChain(tx: ControlTransaction, heads: readonly ChainHead[]): Promise<ChainProof> {
  let state = CHAIN_START;
  for (let full = true; full; ) {
    const parts = await listChain(tx, state.link, PAGE);
    const within = heads.filter(({ link }) => link > state.link && link <= lastOf(parts));
    for (const part of parts) {
      const next = verifyPart(state, part, within);
      if ('kind' in next) return next;
      state = next;
    }
    full = parts.length === PAGE;
  }
  return verifyEnd(state, { ...(await readChainEnd(tx)), heads });
}

function lastOf(parts: Awaited<ReturnType<typeof listChain>>): bigint {
  const part = parts.at(-1);
  if (part === undefined) return 0n;
  return part.kind === 'link' ? part.link : part.last;
}
