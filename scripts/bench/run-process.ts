// The benchmark itself, in a process of its own: whatever it is busy with, its parent can end it and clean up behind
// it.
import { once } from 'node:events';
import { measureBuilds, reportBuilds } from './builds.js';
import { describeMachine } from './machine.js';
import type { BenchOptions } from './options.js';
import { runBench } from './run-bench.js';
import type { BenchServer } from './server.js';

/** What the parent sends first. */
export interface RunMessage {
  readonly options: BenchOptions;
  readonly server: Pick<BenchServer, 'adminUrl' | 'redisUrl' | 'folder'>;
  /** For another build. */
  readonly other: RunMessage['server'] | undefined;
}

const show = (line: string): void => void process.stdout.write(`${line}\n`);
const print = (line: string): void => void process.stderr.write(`  ${line}\n`);

const { options, server: given, other }: RunMessage = (await once(process, 'message'))[0];
// the parent was killed: so are we, and the worker with us
process.once('disconnect', () => process.exit(1));
const server = {
  ...given,
  url: (database: string): string => Object.assign(new URL(given.adminUrl), { pathname: `/${database}` }).href,
};
for (const line of await describeMachine(server)) show(line);
const report =
  other === undefined
    ? await runBench({ server, options, worker: 'process', print })
    : reportBuilds(await measureBuilds({ servers: { now: given, before: other }, options, print }), options.before);
for (const line of ['', ...report]) show(line);
process.exit(0);
