// A rollout by today's build and by another one, in turn, each on a server of its own: the ratio is of two runs that
// follow each other, since a machine's speed changes by the minute.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { projectFolder } from '../../src/compose.js';
import type { BuildMeasure, BuildQuestion } from './build-process.js';
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
    print(`round ${round} of ${options.runs}: migrate ${formatMs(one.migrate)} before, ${formatMs(other.migrate)} now`);
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
const ROWS = [
  { key: 'batch', name: 'batch, p50' },
  { key: 'migrate', name: 'migrate' },
  { key: 'verification', name: 'verification' },
  { key: 'plan', name: 'plan' },
] as const;

/** A table of the medians, then a goal for each: the median of the rounds' ratios. */
export function reportBuilds(rounds: readonly BuildRound[], commit: string): readonly string[] {
  const median = (read: (round: BuildRound) => number): number => findMedian(rounds.map(read));
  return [
    ...formatTable([
      ['medians', `before (${commit})`, 'now'],
      ...ROWS.map(({ key, name }) => [
        name,
        formatMs(median(({ before }) => before[key])),
        formatMs(median(({ now }) => now[key])),
      ]),
    ]),
    '',
    ...ROWS.map(({ key, name }) =>
      formatGoal({
        what: `${name}: now / before`,
        value: median(({ before, now }) => now[key] / before[key]),
        limit: LIMIT,
        side: 'at most',
        unit: '',
      }),
    ),
  ];
}
