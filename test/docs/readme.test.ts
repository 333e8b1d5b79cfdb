// README and docs against the program: commands, options, exit codes, holds, and links that lead somewhere.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, posix } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { REGISTRATIONS } from '../../src/cli/commands/index.js';
import { HOLD_CODES } from '../../src/domain/rollout/hold.js';
import { ERRORS } from '../../src/kernel/error-codes.js';
import { listSections, projectPath, readDocument, readTable, unquote } from './read-document.js';

const readme = await readDocument('README.md');
const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...(await listDocs())];

async function listDocs(): Promise<readonly string[]> {
  return (await readdir(projectPath('docs'))).map((name) => `docs/${name}`);
}

/** The program's commands without running any; hidden ones are for scripts. */
function listCommands(): readonly { readonly name: string; readonly options: readonly string[] }[] {
  const cli = new Command('credit-rollout').helpCommand(false);
  for (const register of REGISTRATIONS) register(cli, async () => undefined);
  return cli
    .createHelp()
    .visibleCommands(cli)
    .map((command) => ({
      name: command.name(),
      options: command.options.map(({ long }) => long ?? '').filter(Boolean),
    }));
}

/** `apply [--dc ID…] [--execute]` becomes its name and its options. */
const rows = readTable(readme, 'Commands').map(([cell = '']) => ({
  name: unquote(cell).split(' ')[0] ?? '',
  options: unquote(cell).match(/--[a-z-]+/gu) ?? [],
}));

describe('README.md', () => {
  test('names every command of the program in its order, and none that does not exist', () => {
    expect(rows.map(({ name }) => name)).toEqual(listCommands().map(({ name }) => name));
  });

  test('names every option of every command', () => {
    const named = rows.map(({ name, options }) => ({ name, options: [...options].sort() }));
    const found = listCommands().map(({ name, options }) => ({ name, options: [...options].sort() }));
    expect(named).toEqual(found);
  });

  test('says what to do about every hold', () => {
    const codes = readTable(readme, 'It is stuck: what now').map(([code = '']) => unquote(code));
    expect(codes.toSorted()).toEqual([...HOLD_CODES].toSorted());
  });

  test('lists every exit code that an error has', () => {
    const lines = listSections(readme).find(({ heading }) => heading === 'Commands')?.lines ?? [];
    const codes = lines.flatMap((line) => /^\| (\d+) +\|/u.exec(line)?.[1] ?? []).map(Number);
    expect(Object.values(ERRORS).filter(({ exit }) => !codes.includes(exit))).toEqual([]);
  });
});

describe.each(DOCUMENTS)('%s', (path) => {
  test('links only to files and headings that exist', async () => {
    const text = await readDocument(path);
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]*)\)/gu)].map(([, target = '']) => target);
    const broken = await Promise.all(links.map(async (link) => ((await leadsSomewhere(path, link)) ? [] : [link])));
    expect(broken.flat()).toEqual([]);
  });

  test('names only commands that exist', async () => {
    const text = await readDocument(path);
    const used = [...text.matchAll(/(?:`|^|rollout -- )credit-rollout ([a-z][a-z-]*)/gmu)].map(([, name = '']) => name);
    const names = listCommands().map(({ name }) => name);
    expect(used.filter((name) => !names.includes(name) && name !== 'stands')).toEqual([]);
  });
});

async function leadsSomewhere(from: string, link: string): Promise<boolean> {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : posix.normalize(posix.join(dirname(from), file));
  if (!existsSync(projectPath(target))) return false;
  if (anchor === undefined) return true;
  return listSections(await readDocument(target)).some(({ heading }) => toAnchor(heading) === anchor);
}

/** As GitHub makes them. */
const toAnchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
