// Another build of this repository, which is compared with today's: a folder that holds one, or a commit, which is built
// in a folder of its own. Changes nothing in the repository.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { RolloutError } from '../../src/kernel/rollout-error.js';

/** The folder of the build: `before` itself where it has a `/`, else that commit's, built inside `inside`. */
export async function findBuild(inside: string, before: string): Promise<string> {
  if (before.includes('/')) return before;
  const folder = join(inside, 'before');
  await mkdir(folder);
  await runProgram('sh', ['-c', 'git archive "$1" | tar -x -C "$2"', 'sh', before, folder], projectFolder);
  // its own set-up takes these modules if they are what it asks for, else it installs others in their place
  await symlink(join(projectFolder, 'node_modules'), join(folder, 'node_modules'));
  await runProgram(process.execPath, [join('scripts', 'setup.mjs')], folder);
  return folder;
}

/** Until it has ended. @throws invalid_argument when it fails */
export async function runProgram(program: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0)
    throw new RolloutError('invalid_argument', {
      message: `${[basename(program), ...args].join(' ')} ended with ${code}.`,
      next: 'Give --before a commit of this repository, the folder of a build (with a /), or none.',
    });
}
