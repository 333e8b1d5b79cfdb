// `npm run soak`: real servers under random faults while life goes on. A run for each queue; exit code 1 when an
// invariant was broken, something grew, or something did not come to its end. Arguments: --help lists them.
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureReady, findCommand, ROOT, run } from './setup.mjs';

const HELP = `npm run soak -- [options]

  --minutes N            of life under faults, on each queue (10)
  --queue QUEUE          redis, postgres or both (both)
  --seed N               of every random choice; the same seed again makes the same choices, the servers do not
  --orgs N               of each of the two data centers (1500)
  --keep FOLDER          where the logs of a broken soak go (the temporary folder)
  --short                20 seconds, on Redis, without what needs root
`;
const options = {
  minutes: { type: 'string', default: '10' },
  queue: { type: 'string', default: 'both' },
  seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  orgs: { type: 'string', default: '1500' },
  keep: { type: 'string', default: tmpdir() },
  short: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

const { values } = readArguments();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const queues = { redis: ['redis'], postgres: ['postgres'], both: ['redis', 'postgres'] }[values.queue];
const [minutes, seed, orgs] = [values.minutes, values.seed, values.orgs].map(Number);
if (queues === undefined || !(minutes > 0) || !Number.isInteger(seed) || !(orgs >= 100)) stop('See --help.');

await ensureReady();
let failed = false;
for (const queue of values.short ? ['redis'] : queues) {
  const soak = {
    queue,
    seed,
    seconds: values.short ? 20 : minutes * 60,
    orgs: values.short ? 300 : orgs,
    faults: values.short ? 'plain' : 'all',
    keep: join(values.keep, `credit-rollout-soak-${queue}-${seed}`),
  };
  console.log(
    `== soak on ${queue}, seed ${seed}, ${soak.seconds} s of faults: npm run soak -- --queue ${queue} --seed ${seed}`,
  );
  const args = [findCommand('vitest'), 'run', '--root', ROOT, '--config', 'test/soak/vitest.config.ts'];
  const code = await run(process.execPath, args, { ...process.env, CREDIT_ROLLOUT_SOAK: JSON.stringify(soak) });
  console.log(`== soak on ${queue}, seed ${seed}: ${code === 0 ? 'held' : 'BROKEN'}`);
  if (code !== 0) failed = true;
}
process.exit(failed ? 1 : 0);

function readArguments() {
  try {
    return parseArgs({ options });
  } catch (error) {
    return stop(error.message);
  }
}

function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}
