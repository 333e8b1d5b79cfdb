// Records what `npm start` shows on a fresh machine, for the picture of it. The lines are the command's own; of its
// many frames of progress one is kept.
import { createProjectCopy } from './project-copy.js';

const isProgress = (line: string): boolean => /^[✔▶◷✗!] +\S+ +(?:in|eu|us) +[█░]/u.test(line);
const FRAME = 3;

/** The lines of the recording, `$ npm start` first. Throws when the rollout does not end well. */
export async function recordStart(): Promise<readonly string[]> {
  const copy = await createProjectCopy();
  try {
    const { code, output } = await copy.run('demo');
    if (code !== 0) throw new Error(`npm start ended with ${code}: ${output}`);
    return ['$ npm start', ...chooseLines(output.trimEnd().split('\n'))];
  } finally {
    await copy.remove();
  }
}

/** Everything but the frames of progress, of which the one is kept that shows the second data center under way. */
export function chooseLines(lines: readonly string[]): readonly string[] {
  const all = lines.filter((line, at) => !isContinued(lines, line, at));
  const first = all.findIndex(isProgress);
  const frames = all
    .filter(isProgress)
    .flatMap((_, at, progress) => (at % FRAME === 0 ? [progress.slice(at, at + FRAME)] : []));
  const percentOf = ([, second = '']: readonly string[]): number =>
    /^▶ (?:migrating|verifying)/u.test(second) ? Number(/([\d.]+) %/u.exec(second)?.[1] ?? 0) : -1;
  const [frame = []] = frames.toSorted((a, b) => percentOf(b) - percentOf(a));
  return all.flatMap((line, at) => {
    if (at === first) return frame;
    return isProgress(line) ? [] : [line];
  });
}

/** The end of a line of progress that was too long for the terminal. */
function isContinued(lines: readonly string[], line: string, at: number): boolean {
  if (!/^ {4}/u.test(line)) return false;
  const before = lines.slice(0, at).findLast((one) => !/^ {4}/u.test(one));
  return before !== undefined && isProgress(before);
}
