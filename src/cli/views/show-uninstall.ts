// An uninstall for people: the SQL, what control forgets, why it is refused, and what is left to do.

import type { UninstallPreview, UninstallReport } from '../../engine/setup/uninstall-cell.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { type ShownRefusal, showRefusals } from './show-removal.js';

interface ShownPreview extends Omit<UninstallPreview, 'refusals'> {
  readonly refusals: readonly ShownRefusal[];
}

export function showUninstallPreview(preview: ShownPreview, next: string): string {
  const { dataCenter, statements, roles, grants, productRoles, refusals } = preview;
  return [
    statements.length === 0 ? `${dataCenter}: its cell has nothing of ours` : `${dataCenter}: in its cell would run`,
    ...statements.map((sql) => `    ${sql};`),
    ...listKept(roles),
    ...listMembers(roles),
    ...(grants.length === 0
      ? []
      : [
          '    Roles of ours that were granted something of the product stay until its owner takes that back.',
          '    This login may not. Before, or afterwards as a superuser, let the owner run:',
          ...grants.map((sql) => `      ${sql};`),
        ]),
    ...productRoles.map(
      (name) => `    ${showName(name)}, a role of the product, loses what it may read and call of ours`,
    ),
    'In control it leaves the fleet: its holds and its key are deleted, and it starts from the beginning if it is added again.',
    'Its runs, plans, approvals and audit stay as history. Tables, views and logins of the product stay.',
    ...showRefusals(refusals),
    'Nothing was changed.',
    ...(refusals.length === 0 ? [`Next: ${next}`] : []),
  ].join('\n');
}

type Roles = UninstallPreview['roles'];

const listKept = (roles: Roles): readonly string[] =>
  roles
    .filter(({ usedElsewhere }) => usedElsewhere)
    .map(({ name }) => `    kept: role ${name}, which another database of this server uses`);

function listMembers(roles: Roles): readonly string[] {
  const members = new Set(roles.filter(({ usedElsewhere }) => !usedElsewhere).flatMap(({ members: logins }) => logins));
  return members.size === 0
    ? []
    : [`    logins that stay, without these roles: ${[...members].map(showName).join(', ')}`];
}

export function showUninstalled({ dataCenter, roles, left }: UninstallReport, commands: CommandNames): string {
  return [
    left.length === 0
      ? `✔ ${dataCenter}: nothing of ours is left in its cell, and it has left the fleet`
      : `⚠ ${dataCenter}: our schema is gone, and it has left the fleet; this login may not drop the rest`,
    ...listKept(roles),
    ...(left.length === 0 ? [] : ['In the database of the cell, as a superuser run:']),
    ...left.map((sql) => `    ${sql};`),
    `Next: take ${dataCenter} out of the configuration, and start schedulers and workers again;`,
    `      to start again there: ${commands.show(command`init --dc ${dataCenter}`)}`,
  ].join('\n');
}
