// A proposal to accept what control has lost of its audit, for people and for programs.
import type { CutProposal } from '../../engine/operate/accept-audit-cut.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import { showCutId } from '../../kernel/proposal-id.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount } from '../terminal/numbers.js';

/** `h3: 5 heads that the cells of eu, us keep and control has lost, proposed; proposed by alice: the disk was lost`. */
export function showCutProposal(cut: CutProposal): string {
  return `${showCutId(cut.cutId)}: ${describe(cut)}, ${cut.state}; ${showPeople(cut)}: ${cut.reason}`;
}

function describe({ heads, dataCenters }: CutProposal): string {
  const cells =
    dataCenters.length === 1
      ? `the cell of ${dataCenters.join()} keeps`
      : `the cells of ${dataCenters.join(', ')} keep`;
  return `${showCount(heads)} ${heads === 1 ? 'head' : 'heads'} that ${cells} and control has lost`;
}

function showPeople({ author, approver, alone, withdrawnBy }: CutProposal): string {
  if (alone) return `proposed and approved by ${showName(author)} alone`;
  const by = approver === null ? '' : `, approved by ${showName(approver)}`;
  return `proposed by ${showName(author)}${by}${withdrawnBy === null ? '' : `, withdrawn by ${showName(withdrawnBy)}`}`;
}

/** The one that waits, and what helps; none: nothing waits. */
export function listWaitingCut(cut: CutProposal | null, commands: Pick<CommandNames, 'show'>): readonly string[] {
  if (cut === null) return [];
  const approve = commands.show(command`approve ${showCutId(cut.cutId)}`);
  return [
    `Waits for somebody else than ${showName(cut.author)}, to accept as lost: ${showCutProposal(cut)}`,
    `A second person approves it: ${approve}; or withdraw it: ${commands.show(command('audit --verify --accept-cut --withdraw --reason TEXT'))}`,
  ];
}

export const cutDocument = ({ cutId, ...cut }: CutProposal): Readonly<Record<string, unknown>> => ({
  cutId: showCutId(cutId),
  ...cut,
});
