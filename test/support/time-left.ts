// How long a test run still takes, from what its files were expected to take and what they took. Knows nothing of
// Vitest and no clock.

/** What was expected of a file, in any unit, and how long it has run: 0 where it waits for a worker. */
export interface TimedFile {
  readonly expected: number;
  readonly ranMs: number;
}

export interface TimeLeft {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * How the latest files went says more of the short ones, which come at the end, than the long ones of the beginning.
 */
const LATEST = 15;
/** What the last run took says much; guesses from the texts of files were too low by half. */
const MARGINS = { durations: { below: 0.85, above: 1.15 }, guesses: { below: 0.85, above: 2 } } as const;

/**
 * A range of three guesses: at the pace of what has ended, at the pace of the latest of it, and as if what runs now
 * were half done, since of the first files the quick ones end first. Undefined before a file has ended. `finished` in
 * the order of their ends.
 */
export function estimateTimeLeft(
  finished: readonly TimedFile[],
  unfinished: readonly TimedFile[],
  workers: number,
  basis: keyof typeof MARGINS,
): TimeLeft | undefined {
  if (finished.length === 0) return undefined;
  const running = unfinished.filter(({ ranMs }) => ranMs > 0).map((file) => ({ ...file, expected: file.expected / 2 }));
  const guesses = [finished, finished.slice(-LATEST), [...finished, ...running]].map((files) =>
    timeAtPace(paceOf(files), unfinished, workers),
  );
  const { below, above } = MARGINS[basis];
  return { fromMs: Math.min(...guesses) * below, toMs: Math.max(...guesses) * above };
}

/** Milliseconds for a unit of what is expected. */
const paceOf = (files: readonly TimedFile[]): number => sumOf(files, 'ranMs') / sumOf(files, 'expected');

const sumOf = (files: readonly TimedFile[], key: keyof TimedFile): number =>
  files.reduce((sum, file) => sum + file[key], 0);

/** Workers share what is left, but a single file is one worker's. */
function timeAtPace(pace: number, unfinished: readonly TimedFile[], workers: number): number {
  const left = unfinished.map(({ expected, ranMs }) => Math.max(0, expected * pace - ranMs));
  return Math.max(0, left.reduce((sum, ms) => sum + ms, 0) / workers, ...left);
}
