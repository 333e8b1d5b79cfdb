// The proof of the audit's chain for people.
import type { ChainBreak, ChainProof } from '../../domain/operate/verify-chain.js';
import { showCount } from '../terminal/numbers.js';

export function showChain(proof: ChainProof): string {
  if (proof.kind === 'broken')
    return `✖ ${explainBreak(proof)} What is before link ${proof.link} is as it was recorded.`;
  const deleted = proof.deleted === 0n ? '' : `; ${showCount(proof.deleted)} more were deleted by the retention`;
  const found = `✔ The audit is what was recorded: ${showCount(proof.entries)} entries${deleted}.`;
  if (proof.link === 0n) return found;
  return `${found}\nKeep this elsewhere, and give it back with --head:\n${proof.link}:${proof.hash}`;
}

function explainBreak({ code, link, seq }: ChainBreak): string {
  const entry = seq === null ? `The entry of link ${link}` : `Entry ${seq} (link ${link})`;
  switch (code) {
    case 'changed':
      return `${entry} is not what was recorded.`;
    case 'missing':
      return `${entry} is missing, or one before it was hidden.`;
    case 'cut':
      return `The audit ends before link ${link}, and it was longer: its newest entries are missing.`;
    case 'unchained':
      return `Entry ${seq} was added past the chain.`;
    case 'rewritten':
      return `The chain up to link ${link} is not the one whose head was kept: it was rewritten.`;
  }
}
