// What is installed with the program, with its licence, from the lock file.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { renderMarkdownTable } from './markdown.js';

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly dev?: true;
  readonly optional?: true;
}

/** Every package that is not for development only; bold: named in package.json. Throws where one has no licence. */
export function renderDependencies(): string {
  const lock: { readonly packages: Readonly<Record<string, LockedPackage & { dependencies?: object }>> } = JSON.parse(
    readFileSync(join(projectFolder, 'package-lock.json'), 'utf8'),
  );
  const direct = Object.keys(lock.packages['']?.dependencies ?? {});
  const rows = Object.entries(lock.packages)
    .filter(([place, { dev }]) => place !== '' && dev !== true)
    .map(([place, locked]) => toRow(place.slice(place.lastIndexOf('node_modules/') + 13), locked, direct))
    .toSorted(([a], [b]) => (a.replaceAll('*', '') < b.replaceAll('*', '') ? -1 : 1));
  return renderMarkdownTable(['package', 'version', 'licence', ''], rows);
}

type Row = readonly [name: string, ...rest: string[]];

function toRow(name: string, { version, license, optional }: LockedPackage, direct: readonly string[]): Row {
  if (license === undefined) throw new Error(`${name} has no licence in the lock file`);
  return [direct.includes(name) ? `**${name}**` : name, version, license, optional ? 'optional' : ''];
}
