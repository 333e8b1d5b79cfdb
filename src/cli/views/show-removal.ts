// Taking a data center out of the fleet, for people: what changes, why it is refused, and what is left to do.

import type { RemovalPreview } from '../../engine/setup/remove-data-center.js';
import { command } from '../../kernel/advice.js';
import type { CommandNames } from '../terminal/command-names.js';

/** Why something is refused, with the command of this user that ends it. */
export interface ShownRefusal {
  readonly found: string;
  readonly next: string;
}

export const showRefusals = (refusals: readonly ShownRefusal[]): readonly string[] =>
  refusals.length === 0
    ? []
    : ['It is refused now:', ...refusals.flatMap(({ found, next }) => [`  ✖ ${found}`, `    ${next}`])];

interface ShownPreview extends Omit<RemovalPreview, 'refusals' | 'revision'> {
  readonly refusals: readonly ShownRefusal[];
}

export function showRemovalPreview({ refusals, ...removal }: ShownPreview, next: string): string {
  return [
    `${removal.dataCenter} (stage ${removal.stage}) would leave the fleet:`,
    '    no rollout, nightly run, sweep or change feed of it runs any more, and an armed cut-over is taken back',
    ...listLater(removal),
    '    its allotments stay as they are, and the product can read them; its history stays in control',
    ...showRefusals(refusals),
    'Nothing was changed.',
    ...(refusals.length === 0 ? [`Next: ${next}`] : []),
  ].join('\n');
}

const listLater = ({ later }: Pick<RemovalPreview, 'later'>): readonly string[] =>
  later.length === 0 ? [] : [`    ${later.join(', ')} ${later.length === 1 ? 'does' : 'do'} not wait for it any more`];

export function showRemoved(
  { dataCenter, cell, later }: Omit<RemovalPreview, 'refusals' | 'revision'>,
  commands: CommandNames,
): string {
  return [
    `✔ ${dataCenter} has left the fleet; its allotments stay as they are`,
    ...listLater({ later }),
    ...(cell === 'lost'
      ? ['    if its database comes back, add it again before it is used: its fence may be open']
      : []),
    `Next: take ${dataCenter} out of the configuration, and start schedulers and workers again;`,
    `      to add it again as it was: ${commands.show(command`init --dc ${dataCenter}`)}`,
  ].join('\n');
}
