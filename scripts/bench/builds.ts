// What today's build and another one do, in turn, each on a server of its own: the ratio is of two runs that
// follow each other, since a machine's speed changes by the minute.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { projectFolder } from '../../src/compose.js';
import type { BuildMeasure, BuildQuestion, BuildTime } from './build-process.js';
import type { Print } from './compare.js';
import { findMedian, formatMs, formatTable } from './numbers.js';
import type { BenchOptions } from './options.js';
import { findBuild } from './other-build.js';
import { formatGoal } from './report.js';

/** Both builds in one round. */
export interface BuildRound {
  readonly before: BuildMeasure;
  readonly now: BuildMeasure;
}

export interface BuildsQuestion {
  readonly servers: { readonly now: BuildQuestion['server']; readonly before: BuildQuestion['server'] };
  readonly options: BenchOptions;
  readonly print: Print;
}

/** Interleaved, the first of a round changing; a round before them prewarms, apart. */
export async function measureBuilds({ servers, options, print }: BuildsQuestion): Promise<readonly BuildRound[]> {
  print(`building ${options.before}`);
  const folder = await findBuild(servers.before.folder, options.before);
  const before = await startBuild(folder, { server: servers.before, options });
  const now = await startBuild(projectFolder, { server: servers.now, options });
  const rounds: BuildRound[] = [];
  for (let round = 0; round <= options.runs; round += 1) {
    const order = round % 2 === 0 ? [before, now] : [now, before];
    const measures = new Map<ChildProcess, BuildMeasure>();
    for (const build of order) measures.set(build, await ask<BuildMeasure>(build, 'run'));
    const [one, other] = [measures.get(before), measures.get(now)];
    if (round === 0 || one === undefined || other === undefined) continue;
    rounds.push({ before: one, now: other });
    const [first] = listRows(rounds);
    const show = (measure: BuildMeasure): string =>
      formatMs(first === undefined ? Number.NaN : (measure[first.key] ?? 0));
    print(`round ${round} of ${options.runs}: ${first?.name} ${show(one)} before, ${show(other)} now`);
  }
  for (const build of [before, now]) build.kill();
  return rounds;
}

async function startBuild(folder: string, question: BuildQuestion): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('build-process.js', import.meta.url));
  const child = fork(path, [folder], { stdio: ['ignore', 2, 2, 'ipc'] });
  process.once('exit', () => void child.kill('SIGKILL'));
  await ask(child, question);
  return child;
}

/** The answer to a message. Throws when the process ends instead. */
async function ask<T>(child: ChildProcess, question: BuildQuestion | 'run'): Promise<T> {
  const ended = new AbortController();
  const answer = once(child, 'message', { signal: ended.signal });
  const onExit = (): void => ended.abort(new Error('a build that is compared ended before its answer'));
  child.once('exit', onExit);
  child.send(question);
  const [message] = await answer;
  child.off('exit', onExit);
  return message;
}

const LIMIT = 1.05;
const ROWS: readonly { readonly key: BuildTime; readonly name: string; readonly goal?: 'none' }[] = [
  { key: 'batch', name: 'batch, p50' },
  { key: 'migrate', name: 'migrate' },
  { key: 'verification', name: 'verification' },
  { key: 'plan', name: 'plan' },
  { key: 'detection', name: 'night without changes' },
  // the same statement in both: how alike the conditions were
  { key: 'bare', name: 'bare full join', goal: 'none' },
  { key: 'updates followed', name: 'edits followed, by updates' },
  { key: 'updates idle', name: 'poll of nothing, by updates' },
  { key: 'updates edit', name: "product's update, by updates" },
  { key: 'triggers followed', name: 'edits followed, by triggers' },
  { key: 'triggers idle', name: 'poll of nothing, by triggers' },
  { key: 'triggers edit', name: "product's update, by triggers" },
];

/** What was measured. */
const listRows = ([round]: readonly BuildRound[]) => ROWS.filter(({ key }) => round?.now[key] !== undefined);

/** A table of the medians, then a goal for each: the median of the rounds' ratios. */
export function reportBuilds(rounds: readonly BuildRound[], commit: string): readonly string[] {
  const median = (read: (round: BuildRound) => number | undefined): number =>
    findMedian(rounds.map((round) => read(round) ?? Number.NaN));
  const rows = listRows(rounds).map((row) => ({
    ...row,
    before: median(({ before }) => before[row.key]),
    now: median(({ now }) => now[row.key]),
    ratio: median(({ before, now }) => (now[row.key] ?? Number.NaN) / (before[row.key] ?? Number.NaN)),
  }));
  return [
    ...formatTable([
      ['medians', `before (${commit})`, 'now', 'ratio'],
      ...rows.map(({ name, before, now, ratio }) => [name, formatMs(before), formatMs(now), ratio.toFixed(2)]),
    ]),
    '',
    ...rows
      .filter(({ goal }) => goal !== 'none')
      .map(({ name, ratio }) =>
        formatGoal({ what: `${name}: now / before`, value: ratio, limit: LIMIT, side: 'at most', unit: '' }),
      ),
  ];
}
