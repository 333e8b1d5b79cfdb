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
  const first = lines.findIndex(isProgress);
  const frames = lines
    .filter(isProgress)
    .flatMap((_, at, all) => (at % FRAME === 0 ? [all.slice(at, at + FRAME)] : []));
  const percentOf = ([, second = '']: readonly string[]): number =>
    /^▶ (?:migrating|verifying)/u.test(second) ? Number(/([\d.]+) %/u.exec(second)?.[1] ?? 0) : -1;
  const [frame = []] = frames.toSorted((a, b) => percentOf(b) - percentOf(a));
  return lines.flatMap((line, at) => {
    if (at === first) return frame;
    return isProgress(line) ? [] : [line];
  });
}
