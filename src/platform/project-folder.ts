// Where the project lies on disk. Searched upwards, since a built file lies deeper than its source.
import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const projectFolder = findPackage(dirname(fileURLToPath(import.meta.url)));

/** The program was called from outside of the project. */
export const isCalledElsewhere = (): boolean =>
  process.cwd() !== projectFolder && !process.cwd().startsWith(`${projectFolder}${sep}`);

function findPackage(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('no folder above the program holds a package.json');
  return findPackage(parent);
}
