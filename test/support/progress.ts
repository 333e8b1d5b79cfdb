// How far a run is, beside Vitest's own reporter: files done, time so far, time left, and the slowest files at the end.
import { relative } from 'node:path';
import type { Reporter, TestModule, TestSpecification } from 'vitest/node';
import { weighFile } from './weigh-file.js';

const EVERY_MS = 10_000;
const SLOWEST = 10;
// the weights are rough
const AT_LEAST = 0.7;
const AT_MOST = 1.3;

export class Progress implements Reporter {
  private began = 0;
  private shown = 0;
  private total = 0;
  private done = 0;
  private totalWeight = 0;
  private doneWeight = 0;

  onTestRunStart(files: readonly TestSpecification[]): void {
    this.began = performance.now();
    this.shown = this.began;
    this.total = files.length;
    this.totalWeight = files.reduce((sum, { moduleId }) => sum + weighFile(moduleId), 0);
  }

  onTestModuleEnd({ moduleId }: TestModule): void {
    this.done += 1;
    this.doneWeight += weighFile(moduleId);
    const now = performance.now();
    if (now - this.shown < EVERY_MS || this.done === this.total) return;
    this.shown = now;
    print(
      `   ${this.done} of ${this.total} files, ${describeLeft(now - this.began, this.doneWeight / this.totalWeight)}`,
    );
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length <= SLOWEST) return;
    const timed = modules.map((module) => ({ module, ms: timeOf(module) })).sort((a, b) => b.ms - a.ms);
    const lines = timed
      .slice(0, SLOWEST)
      .map(({ module, ms }) => `${(ms / 1_000).toFixed(1).padStart(8)} s  ${nameOf(module)}`);
    print(`\nThe slowest files:\n${lines.join('\n')}`);
  }
}

/** As in `2:13 so far, about 4 to 7 minutes left`. */
function describeLeft(elapsedMs: number, share: number): string {
  const left = (elapsedMs / share) * (1 - share);
  const [from, to] = [left * AT_LEAST, left * AT_MOST].map((ms) => Math.ceil(ms / 60_000));
  const range = from === to ? `${to} minute${to === 1 ? '' : 's'}` : `${from} to ${to} minutes`;
  return `${formatTime(elapsedMs)} so far, about ${range} left`;
}

function formatTime(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function timeOf(module: TestModule): number {
  const { duration, collectDuration } = module.diagnostic();
  return duration + collectDuration;
}

const nameOf = ({ moduleId, project }: TestModule): string => relative(project.config.root, moduleId);
const print = (text: string): void => void process.stdout.write(`${text}\n`);
