// How long a test file is likely to take, from its text alone: for a machine that has never run it. Nothing but the
// order of a run and its progress may depend on these numbers.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// seconds of one test; the first that fits
const COSTS: readonly (readonly [RegExp, number])[] = [
  // whole days, a build, or every class of errors in a test: begun last, each would run alone in the end
  [/simulateNights|createProjectCopy|createScenario|InjectionScene/u, 12],
  [/startScheduler|startWorker|spawn\(|testQueue|openScene|joinEmbeddedPostgres|startServerUnder|runBench/u, 4],
  // what computes for seconds without a server: a last worker would be alone with it
  [/spawnSync|simulate\.js|megabyte|numRuns/u, 4],
  [/support\/fleet\.js/u, 0.8],
  [/support\/(cell|postgres)\.js/u, 0.3],
  [/fast-check/u, 0.3],
];
const OTHER_S = 0.02;
const FILE_S = 0.5;

/** Seconds, on no machine in particular: only their proportions count. */
export function weighFile(path: string): number {
  const text = readFileSync(path, 'utf8');
  const tests = text.match(/^\s*(test|it)\b/gmu)?.length ?? 0;
  // what a suite is set up with lies beside it, or in its own file
  const texts = [text, ...listNeighbours(path, text).map((neighbour) => readFileSync(neighbour, 'utf8'))].join('\n');
  const perTest = COSTS.find(([pattern]) => pattern.test(texts))?.[1] ?? OTHER_S;
  return FILE_S + tests * perTest;
}

const listNeighbours = (path: string, text: string): readonly string[] =>
  [...text.matchAll(/from '(\.\/[^']+)\.js'/gu)]
    .map(([, name = '']) => join(dirname(path), `${name}.ts`))
    .filter((neighbour) => existsSync(neighbour));
