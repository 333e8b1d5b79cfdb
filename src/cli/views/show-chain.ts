// The proof of the audit's chain for people.
import type { AcceptedCut, AuditCut } from '../../domain/operate/lost-heads.js';
import type { ChainBreak } from '../../domain/operate/verify-chain.js';
import type { AuditProof } from '../../engine/operate/verify-audit.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showUtc } from '../terminal/numbers.js';
import { listWaitingCut } from './show-audit-cut.js';

/** `commands`: as this user runs them. */
export function showChain(proof: AuditProof, commands: Pick<CommandNames, 'show'>): string {
  return [
    ...showProof(proof),
    ...proof.lost.map(showCut),
    ...(proof.lost.length > 0 && proof.proposed === null ? [showProposing(commands)] : []),
    ...listWaitingCut(proof.proposed, commands),
    ...proof.accepted.map(showAccepted),
    ...proof.silent.map(
      ({ dataCenter, until }) => `The cell of data center "${dataCenter}" keeps no new head before link ${until}.`,
    ),
    ...showCells(proof, commands.show(command('audit --verify'))),
  ].join('\n');
}

const showProposing = (commands: Pick<CommandNames, 'show'>): string =>
  'If control was restored from an older copy, propose to accept what it has lost, which a second person approves: ' +
  commands.show(command('audit --verify --accept-cut --execute --reason TEXT'));

/** What one cell keeps and control has not. */
export function showCut({ dataCenter, from, to, entries }: AuditCut): string {
  return entries === null
    ? `The cell of data center "${dataCenter}" keeps ${showLinks(from, to)}, which the audit of control cannot have reached.`
    : `The cell of data center "${dataCenter}" keeps what control no longer has: ${showLinks(from, to)}, ${showEntries(entries)}.`;
}

const showLinks = (from: bigint | string | null, to: bigint | string | null): string =>
  String(from) === String(to) ? `link ${to}` : `links ${from} to ${to}`;

const showEntries = (entries: bigint | string): string =>
  `${showCount(entries)} ${String(entries) === '1' ? 'entry' : 'entries'}`;

function showAccepted({ dataCenter, from, to, entries, at, by, author, reason }: AcceptedCut): string {
  const lost = entries === null ? showLinks(from, to) : `${showLinks(from, to)} (${showEntries(entries)})`;
  const proposed = author === null || author === by ? '' : `, as ${showName(author)} proposed`;
  return `Lost, and accepted by ${by} at ${showUtc(at)}${proposed}: ${lost} of data center "${dataCenter}": ${reason}`;
}

function showProof(proof: AuditProof): readonly string[] {
  if (proof.kind === 'broken')
    return [`✖ ${explainBreak(proof)} What is before link ${proof.link} is as it was recorded.`];
  const deleted = proof.deleted === 0n ? '' : `; ${showCount(proof.deleted)} more were deleted by the retention`;
  const there = `${showEntries(proof.entries)}${deleted}.`;
  return [
    {
      intact: `✔ The audit is what was recorded: ${there}`,
      accepted: `! The audit is not complete. What is there is what was recorded: ${there}`,
      uncompared: `! The audit is not proven: not every cell could be compared. By its own hashes it is in order: ${there}`,
    }[proof.kind],
    ...(proof.link === 0n ? [] : ['Keep this elsewhere, and give it back with --head:', `${proof.link}:${proof.hash}`]),
  ];
}

function showCells({ compared, notCompared }: AuditProof, again: string): readonly string[] {
  return [
    ...(compared.length > 0 ? [`Compared with what these cells keep: ${compared.join(', ')}.`] : []),
    ...(notCompared.length > 0
      ? [
          `Not compared, since these cells cannot be read: ${notCompared.join(', ')}.`,
          `Once they can be read, repeat it: ${again}`,
        ]
      : []),
  ];
}

function explainBreak({ code, link, seq, keptBy }: ChainBreak): string {
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
      return keptBy === undefined
        ? `The chain up to link ${link} is not the one whose head was kept: it was rewritten.`
        : `The chain up to link ${link} is not the one whose head the cell of "${keptBy}" keeps: one of both was rewritten.`;
    case 'unreachable':
      return `The cell of data center "${keptBy}" keeps a head that the audit cannot have: something else wrote it.`;
  }
}
