// The folder that --out names. Its files appear whole or not at all: they are made in a hidden folder and renamed. It
// is never put over what is not a report of ours, nor into another folder that takes its place meanwhile.
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { PlanOutcome, PlanReport } from '../../domain/plan/plan-report.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { type HeldFolder, holdFolder } from '../../platform/held-folder.js';
import { explainSharing } from '../../platform/shared-folder.js';
import { explainDisk } from './explain-disk.js';
import { renderHtml } from './render-html.js';
import { isReportOf, isReportText, renderReportJson } from './report-json.js';

export interface ReportFolder {
  /** Takes the CSV to its end into `orgs.csv` or `orgs.csv.gz`. For the report of one data center only. */
  saveOrgs(csv: Readable, form: 'plain' | 'gzip'): Promise<void>;
  /**
   * Adds `report.html` and `report.json` and puts everything in place; returns the paths. `outcome`: what came of the
   * one plan. A list of orgs that lies there goes, unless it is of the same plan: it cannot be made again.
   */
  publish(reports: readonly PlanReport[], outcome?: PlanOutcome | null): Promise<readonly string[]>;
  /** Leaves nothing of what was begun; does nothing after `publish`. */
  discard(): Promise<void>;
}

/** In the order in which they are put in place: who sees report.json sees the rest. */
const FILES = ['orgs.csv', 'orgs.csv.gz', 'report.html', 'report.json'] as const;
type FileName = (typeof FILES)[number];
const LISTS: readonly FileName[] = ['orgs.csv', 'orgs.csv.gz'];
const HIDDEN = '.credit-rollout-report-';
const PRIVATE = { mode: 0o600, flush: true } as const;

/**
 * Makes sure that a report can be put at `dir`, before anything long is begun. Throws out_not_empty for a folder that
 * holds something else, out_unsafe for one that others may change, out_unwritable. Every method throws out_unwritable
 * when the disk fails, and then leaves nothing; after any other failure call `discard`.
 */
export async function openReportFolder(dir: string): Promise<ReportFolder> {
  const target = resolve(dir);
  const staging = await guard(dir, () => openStaging(dir, target));
  const made = new Set<FileName>();
  const discard = (): Promise<void> => (staging.state === 'open' ? closeStaging(staging) : Promise.resolve());
  // a disk that failed has ended the report; after any other failure the caller may try again, or discard
  const step = <T>(work: () => Promise<T>): Promise<T> =>
    guard(dir, work).catch(async (error) => {
      if (isRolloutError(error, 'out_unwritable')) await discard();
      throw error;
    });
  const file = (name: FileName): string => {
    made.add(name);
    return join(staging.path, name);
  };
  return {
    saveOrgs: (csv, form) =>
      step(async () => {
        const to = (name: FileName) => createWriteStream(file(name), PRIVATE);
        if (form === 'gzip') await pipeline(csv, createGzip(), to('orgs.csv.gz'));
        else await pipeline(csv, to('orgs.csv'));
      }),
    publish: (reports, outcome = null) =>
      step(async () => {
        if (reports.length > 1 && made.size > 0) throw new Error('a report over several data centers lists no orgs');
        await writeFile(file('report.html'), renderHtml(reports, outcome), PRIVATE);
        await writeFile(file('report.json'), renderReportJson(reports, outcome), PRIVATE);
        const kept = (await holdsListOf(staging.target, reports)) ? LISTS : [];
        await rejectReplaced(dir, staging.held);
        await putInPlace(staging, { made, kept });
        await rejectReplaced(dir, staging.held).finally(staging.held.close);
        return FILES.filter((name) => made.has(name)).map((name) => join(dir, name));
      }),
    discard,
  };
}

async function guard<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explainDisk(error, dir);
  }
}

interface Staging {
  readonly path: string;
  /** Where the report goes, by way of the folder that is held. */
  readonly target: string;
  /** The target, or the folder above one that does not exist. */
  readonly held: HeldFolder;
  /**
   * `beside`: the target does not exist, and the whole folder becomes it. `inside`: an existing folder stays the one it
   * is.
   */
  readonly place: 'beside' | 'inside';
  /** The topmost folder that was made on the way; undefined: none was. */
  readonly madeAbove: string | undefined;
  state: 'open' | 'closed';
}

async function openStaging(dir: string, target: string): Promise<Staging> {
  await rejectSharedFolder(dir, target);
  const place = (await exists(target)) ? 'inside' : 'beside';
  const madeAbove = place === 'inside' ? undefined : await makeFolders(dirname(target));
  const held = await holdFolder(place === 'inside' ? target : await realpath(dirname(target)));
  try {
    // somebody else could have made or exchanged one of them meanwhile; from here on nobody else can
    await rejectSharedFolder(dir, target);
    await rejectReplaced(dir, held);
    if (place === 'inside') await assertReplaceable(dir, held.path);
    return {
      path: await mkdtemp(join(held.path, HIDDEN)),
      target: place === 'inside' ? held.path : join(held.path, basename(target)),
      held,
      place,
      madeAbove,
      state: 'open',
    };
  } catch (error) {
    await held.close();
    throw error;
  }
}

/** Throws out_unsafe where the folder that was checked is not at its path any more. */
async function rejectReplaced(dir: string, held: HeldFolder): Promise<void> {
  if (await held.isInPlace()) return;
  throw new RolloutError('out_unsafe', {
    message: `The report is not at "${dir}": somebody moved or replaced that folder while it was written.`,
  });
}

/**
 * Returns the topmost one that was not there. One by one: Node's own way never ends where a file system allows no
 * folders.
 */
async function makeFolders(path: string): Promise<string | undefined> {
  if (await exists(path)) return undefined;
  const made = await makeFolders(dirname(path));
  await mkdir(path, { mode: 0o755 }); // whatever the umask is
  return made ?? path;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** Empty, or a report of ours and nothing beside it. What a killed command left hidden does not count. */
async function assertReplaceable(dir: string, target: string): Promise<void> {
  const names = (await readdir(target)).filter((name) => !name.startsWith(HIDDEN));
  if (names.length === 0) return;
  const known: readonly string[] = FILES;
  const ours = names.every((name) => known.includes(name)) && names.includes('report.json');
  if (ours && isReportText(await readFile(join(target, 'report.json'), 'utf8'))) return;
  throw new RolloutError('out_not_empty', {
    message: `The folder "${dir}" is not empty and holds more than a report of ours.`,
  });
}

/** Whether what lies there is the report of the same one plan. */
async function holdsListOf(target: string, [report, another]: readonly PlanReport[]): Promise<boolean> {
  if (report === undefined || another !== undefined) return false;
  const text = await readFile(join(target, 'report.json'), 'utf8').catch(() => '');
  return isReportOf(text, report);
}

interface Placing {
  readonly made: ReadonlySet<FileName>;
  /** What stays where nothing newer was made of its kind. */
  readonly kept: readonly FileName[];
}

async function putInPlace(staging: Staging, { made, kept }: Placing): Promise<void> {
  const stays = (name: FileName): boolean => kept.includes(name) && !kept.some((one) => made.has(one));
  if (staging.place === 'beside') {
    await rename(staging.path, staging.target);
  } else {
    for (const name of FILES) {
      if (made.has(name)) await rename(join(staging.path, name), join(staging.target, name));
      else if (!stays(name)) await rm(join(staging.target, name), { force: true });
    }
    await rm(staging.path, { recursive: true, force: true });
  }
  staging.state = 'closed';
}

/** Removes what was begun, and the folders above that were made for it while they are empty. */
async function closeStaging(staging: Staging): Promise<void> {
  staging.state = 'closed';
  await rm(staging.path, { recursive: true, force: true }).finally(staging.held.close);
  const { madeAbove } = staging;
  if (madeAbove === undefined) return;
  for (let path = staging.held.named; path.startsWith(madeAbove); path = dirname(path)) {
    const removed = await rmdir(path).then(
      () => true,
      () => false, // somebody else uses it by now
    );
    if (!removed) return;
  }
}

/** Throws out_unsafe; rejects with the error of the disk. */
async function rejectSharedFolder(dir: string, target: string): Promise<void> {
  const why = await explainSharing(target, FILES);
  if (why !== undefined)
    throw new RolloutError('out_unsafe', { message: `The report is not written to "${dir}": ${why}.` });
}
