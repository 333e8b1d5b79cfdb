// Proves that the audit is what was recorded: the chain from its first link to its head, as of one moment. Reads only.
import {
  CHAIN_START,
  type ChainHead,
  type ChainProof,
  verifyEnd,
  verifyPart,
} from '../../domain/operate/verify-chain.js';
import { listChain, readChainEnd } from '../../stores/control/audit-links.js';
import type { EngineContext } from '../context.js';

const PAGE = 2_000;

/** `heads`: those that somebody kept elsewhere; the chain must have each of them. */
export function verifyAudit(
  { control }: Pick<EngineContext, 'control'>,
  heads: readonly ChainHead[],
): Promise<ChainProof> {
  return control.inTransaction(
    async (tx) => {
      let state = CHAIN_START;
      for (let full = true; full; ) {
        const parts = await listChain(tx, state.link, PAGE);
        for (const part of parts) {
          const next = verifyPart(state, part, heads);
          if ('kind' in next) return next;
          state = next;
        }
        full = parts.length === PAGE;
      }
      return verifyEnd(state, { ...(await readChainEnd(tx)), heads });
    },
    { reads: 'one moment' },
  );
}
