// The proof of the audit's chain for people.
import type { ChainBreak } from '../../domain/operate/verify-chain.js';
import type { AuditProof } from '../../engine/operate/verify-audit.js';
import { showCount } from '../terminal/numbers.js';

/** `accept`: the command that accepts what was lost, as this user runs it. */
export function showChain(proof: AuditProof, accept: string): string {
  return [showProof(proof), ...showKeeper(proof, accept), ...showCells(proof)].join('\n');
}

function showKeeper(proof: AuditProof, accept: string): readonly string[] {
  if (proof.kind === 'intact' || proof.keptBy === undefined) return [];
  return [
    `The cell of data center "${proof.keptBy}" keeps what control had there.`,
    `If control was restored from an older copy, accept what it has lost: ${accept}`,
  ];
}

function showProof(proof: AuditProof): string {
  if (proof.kind === 'broken')
    return `✖ ${explainBreak(proof)} What is before link ${proof.link} is as it was recorded.`;
  const deleted = proof.deleted === 0n ? '' : `; ${showCount(proof.deleted)} more were deleted by the retention`;
  const found = `✔ The audit is what was recorded: ${showCount(proof.entries)} entries${deleted}.`;
  if (proof.link === 0n) return found;
  return `${found}\nKeep this elsewhere, and give it back with --head:\n${proof.link}:${proof.hash}`;
}

function showCells({ compared, notCompared }: AuditProof): readonly string[] {
  return [
    ...(compared.length > 0 ? [`Compared with what these cells keep: ${compared.join(', ')}.`] : []),
    ...(notCompared.length > 0 ? [`Not compared, since these cells cannot be read: ${notCompared.join(', ')}.`] : []),
  ];
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
