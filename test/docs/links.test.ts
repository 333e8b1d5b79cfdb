// Every link, anchor, command and path that a document names leads somewhere; so does every path that the code names.
import { dirname, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listCommands } from '../../scripts/docs/render-commands.js';
import { isInProject, listDocumentSections, listDocuments, listFiles, readDocument } from './read-document.js';

const FOLDERS = '(?:src|jobs|migrations|scripts|test|docs)';
/** Paths that appear only when something runs, or that are patterns. */
const isExample = (path: string): boolean => /[<>*…{}]/u.test(path);

async function leadsSomewhere(from: string, link: string): Promise<boolean> {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : posix.normalize(posix.join(dirname(from), file));
  return isInProject(target) && (anchor === undefined || hasAnchor(target, anchor));
}

async function hasAnchor(path: string, anchor: string): Promise<boolean> {
  return listDocumentSections(await readDocument(path)).some(({ heading }) => toAnchor(heading) === anchor);
}

/** As GitHub makes them. */
const toAnchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

/** Those for which something is not so. */
async function filterBroken<T>(
  all: readonly T[],
  isFine: (one: T) => boolean | Promise<boolean>,
): Promise<readonly T[]> {
  const fine = await Promise.all(all.map(isFine));
  return all.filter((_, at) => !fine[at]);
}

describe.each(listDocuments())('%s', (path) => {
  test('links only to files and headings that exist', async () => {
    const text = await readDocument(path);
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]*)\)/gu)].map(([, target = '']) => target);
    const pictures = [...text.matchAll(/(?:src|srcset)="(?!https?:)([^"]+)"/gu)].map(([, target = '']) => target);
    expect(await filterBroken([...links, ...pictures], (link) => leadsSomewhere(path, link))).toEqual([]);
  });

  test('names only paths that exist', async () => {
    const text = await readDocument(path);
    const named = [...text.matchAll(new RegExp(`\`(${FOLDERS}/[^\`\\s]+)\``, 'gu'))].map(([, name = '']) => name);
    expect(await filterBroken(named, (name) => isExample(name) || isInProject(name))).toEqual([]);
  });

  test('names only commands that exist', async () => {
    const text = await readDocument(path);
    const used = [...text.matchAll(/(?:`|^|rollout -- )credit-rollout ([a-z][a-z-]*)/gmu)].map(([, name = '']) => name);
    const names = listCommands().map(({ path: name }) => name);
    expect(used.filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('the code', () => {
  /** It names files that it plants in a copy of the project. */
  const PLANTS_FILES = 'test/architecture/imports.test.ts';
  const files = ['src', 'jobs', 'migrations', 'scripts', 'test']
    .flatMap((folder) => listFiles(folder, '.ts', '.mjs'))
    .filter((file) => file !== PLANTS_FILES);
  const NAMED = new RegExp(`(?<![\\w./-])(${FOLDERS}/[\\w./-]*\\.(?:md|ts|mjs|yaml|json))(?:#([\\w-]+))?`, 'gu');

  /** Comments and messages; imports and example files of tests do not count. */
  async function listNamed(): Promise<readonly { file: string; path: string; anchor: string | undefined }[]> {
    const texts = await Promise.all(files.map(async (file) => ({ file, text: await readDocument(file) })));
    return texts.flatMap(({ file, text }) =>
      [...text.matchAll(NAMED)].map(([, path = '', anchor]) => ({ file, path, anchor })),
    );
  }

  test('names only paths and headings that exist', async () => {
    const named = await listNamed();
    expect(named.length).toBeGreaterThan(20);
    const broken = await filterBroken(
      named,
      async ({ path, anchor }) => isInProject(path) && (anchor === undefined || hasAnchor(path, anchor)),
    );
    expect(broken).toEqual([]);
  });
});
